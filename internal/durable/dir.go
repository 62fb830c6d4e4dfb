// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir puts the names in a directory on stable storage: what was created in it, renamed into it or out of it, and removed.
func SyncDir(dir string) error { return system().syncDir(dir) }

func (c calls) syncDir(dir string) error {
	d, err := c.openDir(dir)
	if err != nil {
		return fmt.Errorf("open directory for fsync: %w", err)
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("fsync directory %s: %w", dir, err)
	}
	return nil
}

// MkdirAll makes the directory at path and those above it that are missing, with these permission bits less the umask. Those that
// it made are on stable storage when nil is returned, each made so before the next one below it. A directory that exists already
// is left as it is; something else under its name is an error that Is syscall.ENOTDIR.
func MkdirAll(path string, perm fs.FileMode) error {
	if err := system().mkdirAll(filepath.Clean(path), perm); err != nil {
		return fmt.Errorf("make directory %s durably: %w", path, err)
	}
	return nil
}

func (c calls) mkdirAll(path string, perm fs.FileMode) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := c.mkdirAll(parent, perm); err != nil {
			return err
		}
	}
	// Somebody else may have made it in the meantime, and may not have come to its fsync: ours counts for both.
	if err := c.mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return c.syncDir(parent)
}
