// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// trace wraps the real calls: it notes each of them and makes the n-th one fail, before or after it has done its work.
type trace struct {
	calls []string
	fail  int // 1 for the first call, 0 for none
	done  bool
}

var errInjected = fmt.Errorf("injected: %w", syscall.EIO)

func (tr *trace) call(name string, do func() error) error {
	tr.calls = append(tr.calls, name)
	if len(tr.calls) != tr.fail {
		return do()
	}
	if tr.done {
		if err := do(); err != nil {
			return err
		}
	}
	return errInjected
}

type tracedFile struct {
	file
	name string
	tr   *trace
}

func (f tracedFile) Write(p []byte) (n int, err error) {
	err = f.tr.call("write", func() (e error) { n, e = f.file.Write(p); return e })
	return n, err
}
func (f tracedFile) Sync() error { return f.tr.call("fsync "+f.name, f.file.Sync) }
func (f tracedFile) Chmod(m fs.FileMode) error {
	return f.tr.call("fchmod", func() error { return f.file.Chmod(m) })
}

// Close always closes, so that a test leaks nothing.
func (f tracedFile) Close() error {
	err := f.file.Close()
	return errors.Join(f.tr.call("close "+f.name, func() error { return nil }), err)
}

func (tr *trace) system() calls {
	s := system()
	return calls{
		createTemp: func(dir, pattern string) (f file, path string, err error) {
			err = tr.call("create", func() (e error) { f, path, e = s.createTemp(dir, pattern); return e })
			if err != nil {
				if f != nil {
					_ = f.Close()
				}
				return nil, "", err
			}
			return tracedFile{f, "file", tr}, path, nil
		},
		openDir: func(path string) (f file, err error) {
			err = tr.call("open dir", func() (e error) { f, e = s.openDir(path); return e })
			if err != nil {
				if f != nil {
					_ = f.Close()
				}
				return nil, err
			}
			return tracedFile{f, "dir", tr}, nil
		},
		rename: func(from, to string) error {
			return tr.call("rename", func() error { return s.rename(from, to) })
		},
		mkdir: func(path string, perm fs.FileMode) error {
			return tr.call("mkdir "+filepath.Base(path), func() error { return s.mkdir(path, perm) })
		},
		remove: s.remove,
	}
}

func TestWriteFileOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	tr := &trace{}
	if err := tr.system().writeFile(path, content("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"create", "write", "fchmod", "fsync file", "close file", "rename", "open dir", "fsync dir", "close dir"}
	if !slices.Equal(tr.calls, want) {
		t.Errorf("system calls:\n got %q\nwant %q", tr.calls, want)
	}
}

// Every step fails twice: not done, and done all the same. Whatever happens, the old file or the new one is there, whole, and
// no temporary is left (one that was created by a call that then failed excepted: nobody knows its name).
func TestWriteFileFailures(t *testing.T) {
	const steps = 9
	for step := 1; step <= steps; step++ {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d done %v", step, done), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "state")
				if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
				tr := &trace{fail: step, done: done}
				err := tr.system().writeFile(path, content("new"), 0o640)
				if !errors.Is(err, syscall.EIO) {
					t.Fatalf("call %q failed, WriteFile says %v", tr.calls[step-1], err)
				}
				renamed := slices.Index(tr.calls, "rename")
				want := "old"
				if renamed >= 0 && (renamed+1 != step || done) {
					want = "new"
				}
				if got := read(t, path); got != want {
					t.Errorf("call %q failed: the file has %q, want %q", tr.calls[step-1], got, want)
				}
				if step > 1 {
					noTemps(t, dir)
				}
			})
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, content := range []string{"", "one", strings.Repeat("x", 1<<20)} {
		if err := WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if read(t, path) != content {
			t.Errorf("content of %d bytes is not what was written", len(content))
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode is %v, want 0644 whatever the umask", info.Mode().Perm())
	}
	noTemps(t, dir)
	if err := WriteFile(filepath.Join(dir, "missing", "state"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
}

func TestMkdirAll(t *testing.T) {
	top := t.TempDir()
	tr := &trace{}
	path := filepath.Join(top, "a", "b")
	if err := tr.system().mkdirAll(path, 0o750); err != nil {
		t.Fatal(err)
	}
	want := []string{"mkdir a", "open dir", "fsync dir", "close dir", "mkdir b", "open dir", "fsync dir", "close dir"}
	if !slices.Equal(tr.calls, want) {
		t.Errorf("system calls:\n got %q\nwant %q", tr.calls, want)
	}
	if err := MkdirAll(path, 0o750); err != nil {
		t.Errorf("a directory that exists: %v", err)
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(file, 0o750); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file in the way: %v", err)
	}
	if err := MkdirAll(filepath.Join(file, "x"), 0o750); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestMkdirAllFailures(t *testing.T) {
	for step := 1; step <= 8; step++ {
		for _, done := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "a", "b")
			tr := &trace{fail: step, done: done}
			if err := tr.system().mkdirAll(path, 0o750); !errors.Is(err, syscall.EIO) {
				t.Errorf("step %d (%q) failed, MkdirAll says %v", step, tr.calls[step-1], err)
			}
			if err := MkdirAll(path, 0o750); err != nil {
				t.Errorf("again after step %d: %v", step, err)
			}
		}
	}
}

func TestOpenAppendTruncateRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for _, line := range []string{"one\n", "two\n"} {
		f, err := OpenAppend(path, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(line); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, path); got != "one\ntwo\n" {
		t.Errorf("after two appends: %q", got)
	}
	if err := Truncate(path, 4); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "one\n" {
		t.Errorf("after truncate: %q", got)
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	if err := Truncate(path, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("truncate of nothing: %v", err)
	}
	if _, err := OpenAppend(filepath.Join(path, "x"), 0o640); err == nil {
		t.Error("append in a missing directory succeeded")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func noTemps(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if IsTemp(e.Name()) {
			t.Errorf("a temporary is left: %s", e.Name())
		}
	}
}

// content fills a file with text.
func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// Content that cannot be had whole replaces nothing.
func TestWriteStreamFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	err := WriteStream(path, 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return errors.Join(err, gone)
	})
	if !errors.Is(err, gone) {
		t.Errorf("the error is %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}
