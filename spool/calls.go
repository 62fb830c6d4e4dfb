// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const (
	dirPerm  = 0o700
	filePerm = 0o600
)

// file is what this package does with an open file or directory.
type file interface {
	io.WriteCloser
	io.ReaderAt
	Sync() error
	Stat() (fs.FileInfo, error)
}

// calls are the system calls in use, so that tests can make each of them fail and know what would survive a power cut after it.
type calls struct {
	create  func(path string) (file, error) // of a file that does not exist, for writing
	open    func(path string) (file, error) // for reading; directories, too
	rename  func(from, to string) error
	remove  func(path string) error // a file, or an empty directory
	mkdir   func(path string) error
	readDir func(path string) ([]string, error)
	stat    func(path string) (fs.FileInfo, error)
	free    func(path string) (int64, error) // bytes free for who is not root
}

// system are the calls of the operating system.
func system() calls {
	return calls{
		create: func(path string) (file, error) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, filePerm)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
		open: func(path string) (file, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
		rename:  os.Rename,
		remove:  os.Remove,
		mkdir:   func(path string) error { return os.Mkdir(path, dirPerm) },
		readDir: readNames,
		stat:    os.Lstat,
		free:    freeSpace,
	}
}

func readNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func freeSpace(path string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("look at the space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // the types differ between architectures
}

// syncDir puts the names in a directory on stable storage.
func (c calls) syncDir(path string) error {
	d, err := c.open(path)
	if err != nil {
		return fmt.Errorf("open directory for fsync: %w", err)
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("fsync directory %s: %w", path, err)
	}
	return nil
}
