// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const tempSuffix = ".tmp"

// WriteFile replaces the file at path by one with this content and exactly these permission bits, the umask notwithstanding. The
// file is on stable storage under its name when nil is returned. After an error the old file or the new one stands there, whole.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return WriteStream(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteStream is WriteFile for content that is written piece by piece. An error of fill is returned, and then the old file stands.
func WriteStream(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	if err := system().writeFile(path, fill, perm); err != nil {
		return fmt.Errorf("write %s durably: %w", path, err)
	}
	return nil
}

// IsTemp reports whether a file of this name (without directory) is a temporary of WriteFile, left by a crash if nobody writes it.
func IsTemp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix)
}

// RemoveTemps removes such files from a directory in which nobody writes.
func RemoveTemps(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if IsTemp(e.Name()) {
			if err := Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c calls) writeFile(path string, fill func(io.Writer) error, perm fs.FileMode) error {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	temp, err := c.writeTemp(dir, name, fill, perm)
	if err == nil {
		err = c.rename(temp, path)
	}
	if err != nil {
		// After a rename that failed but was done there is nothing under the temporary name, which is as good.
		if rm := c.removeTemp(temp); rm != nil {
			return errors.Join(err, rm)
		}
		return err
	}
	return c.syncDir(dir)
}

// writeTemp returns the path of the temporary file also with an error, once there may be one to remove.
func (c calls) writeTemp(dir, name string, fill func(io.Writer) error, perm fs.FileMode) (string, error) {
	f, temp, err := c.createTemp(dir, "."+name+".*"+tempSuffix)
	if err != nil {
		return "", err
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return temp, err
}

func (c calls) removeTemp(temp string) error {
	if temp == "" {
		return nil
	}
	if err := c.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Remove removes the file or empty directory at path; the removal is on stable storage when nil is returned. A path that does not
// exist is an error that Is fs.ErrNotExist.
func Remove(path string) error {
	c := system()
	if err := c.remove(path); err != nil {
		return err
	}
	return c.syncDir(filepath.Dir(path))
}

// Truncate cuts the file at path to size bytes; that is on stable storage when nil is returned.
func Truncate(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("truncate %s durably: %w", path, err)
	}
	return nil
}

// OpenAppend opens the file at path for appending and makes it, empty, where there is none. Its name is on stable storage when nil
// is returned; what is appended is not before the caller's Sync.
func OpenAppend(path string, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, perm)
	if err != nil {
		return nil, err
	}
	// Always, not only for a new file: the process that made an existing one may have died before it came to this point.
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
