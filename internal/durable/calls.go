// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"io"
	"io/fs"
	"os"
)

// file is what this package does with an open file or directory.
type file interface {
	io.WriteCloser
	Sync() error
	Chmod(mode fs.FileMode) error
}

// calls are the system calls in use, so that tests can make each of them fail.
type calls struct {
	createTemp func(dir, pattern string) (f file, path string, err error)
	openDir    func(path string) (file, error)
	rename     func(from, to string) error
	mkdir      func(path string, perm fs.FileMode) error
	remove     func(path string) error
}

// system are the calls of the operating system.
func system() calls {
	return calls{
		createTemp: func(dir, pattern string) (file, string, error) {
			f, err := os.CreateTemp(dir, pattern)
			if err != nil {
				return nil, "", err
			}
			return f, f.Name(), nil
		},
		openDir: func(path string) (file, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
		rename: os.Rename,
		mkdir:  os.Mkdir,
		remove: os.Remove,
	}
}
