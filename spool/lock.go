// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// The files and directories of a spool.
const (
	lockFile    = "lock"
	versionFile = "version"
	keysDir     = "keys"
	incomingDir = "incoming"
	entriesDir  = "entries"
	damagedDir  = "damaged"
)

const versionText = "ftpgw spool 1\n"

// lock is held by the process that writes. It goes away with the process, however that ends.
type lock struct {
	file *os.File
	info fs.FileInfo
}

// takeDirectory makes a spool directory where there is none, and locks it.
func takeDirectory(dir string) (*lock, error) {
	if err := durable.MkdirAll(dir, dirPerm); err != nil {
		return nil, err
	}
	l, err := acquire(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	if err := prepare(dir); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// prepare makes what is missing. The version comes first: a directory that has one is ours.
func prepare(dir string) error {
	err := checkVersion(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := checkEmpty(dir); err != nil {
			return err
		}
		err = durable.WriteFile(filepath.Join(dir, versionFile), []byte(versionText), filePerm)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{keysDir, incomingDir, entriesDir, damagedDir} {
		if err := durable.MkdirAll(filepath.Join(dir, name), dirPerm); err != nil {
			return err
		}
	}
	return nil
}

func checkVersion(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, versionFile))
	if err != nil {
		return fmt.Errorf("this is no spool directory: %w", err)
	}
	if string(b) != versionText {
		return fmt.Errorf("the directory says of itself %.60q, this program reads %q only", b, versionText)
	}
	return nil
}

// checkEmpty keeps a wrong path from being made a spool.
func checkEmpty(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() != lockFile && !durable.IsTemp(e.Name()) {
			return fmt.Errorf("this is no spool directory, and not empty: it has %q", e.Name())
		}
	}
	return nil
}

// acquire takes the lock and writes down who has it.
func acquire(path string) (_ *lock, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, holder(f)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &lock{file: f, info: info}, nil
}

// holder is ErrLocked with the number of the process, where it has come to write it down.
func holder(f *os.File) error {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0) // an error leaves n as it is
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil {
		return fmt.Errorf("%w: process %d has it", ErrLocked, pid)
	}
	return ErrLocked
}

func (l *lock) close() error { return l.file.Close() }

// present returns an error that Is ErrLost unless the directory that was opened still stands under its name: what is written into
// one that was removed, or that something else was mounted over, is gone.
func (s *Spool) present() error {
	info, err := s.sys.stat(filepath.Join(s.dir, lockFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case err != nil:
		return err
	case !os.SameFile(info, s.lock.info):
		return fmt.Errorf("%w: another one stands at %s", ErrLost, s.dir)
	}
	return nil
}
