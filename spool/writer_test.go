// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func incoming(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, incomingDir))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// last is asked when everything is on stable storage and nothing is visible, and its error leaves nothing.
func TestLastIsAskedJustBeforeTheRename(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	s, d := start(t, o, nil)
	w, err := s.Create(meta("/a"), -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the device is gone")
	_, err = w.Commit(digest("content"), func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		for path, n := range d.live {
			if filepath.Base(filepath.Dir(path)) == incomingDir && (len(n.synced) == 0 || string(n.synced) != string(n.data)) {
				t.Error("the file is not on stable storage")
			}
		}
		if len(s.Lookup("centre", "/relay-12/a")) != 0 {
			t.Error("the entry is visible")
		}
		return gone
	})
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if n := incoming(t, o.Dir); n != 0 || len(s.Lookup("centre", "/relay-12/a")) != 0 {
		t.Errorf("%d files are left", n)
	}
	w.Abort()
	usage(t, s, Usage{})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Close ends uploads that nobody has ended, and nothing is accepted any more.
func TestCloseAbortsWriters(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	s := open(t, o)
	kept := store(t, s, "/kept", "content")
	w, err := s.Create(meta("/a"), -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := incoming(t, o.Dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := w.Commit(digest(""), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	_, create := s.Create(meta("/b"), 0)
	_, update := s.Update(kept.ID, func(*Entry) error { return nil })
	for _, err := range []error{create, update, s.Remove(kept.ID)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// An error of the reader is the reader's, and a digest that is none is refused.
func TestWriterErrors(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t)})
	w, err := s.Create(meta("/a"), -1)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("connection reset")
	n, err := w.ReadFrom(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	if n != 3 || err != broken { //nolint:errorlint // as it is, not wrapped
		t.Errorf("%d, %v", n, err)
	}
	if _, err := w.Commit(strings.ToUpper(digest("abc")), nil); err == nil {
		t.Error("a digest in capitals was taken")
	}
	for _, m := range []Meta{{}, {Conduit: "c", Home: "/", Path: "a"}, {Conduit: "c", Home: "/", Path: "/"}, {Conduit: "c", Home: "/", Path: "/a/../b"}} {
		if _, err := s.Create(m, 0); err == nil {
			t.Errorf("%+v was taken", m)
		}
	}
	usage(t, s, Usage{})
}

// Who reads goes on reading when the entry is removed.
func TestReaderOutlivesEntry(t *testing.T) {
	s := open(t, secret(t, fastDir(t)))
	text := strings.Repeat("0123456789", 20_000)
	e := store(t, s, "/a", text)
	d, err := s.OpenData(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(e.ID); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(d)
	if err != nil || string(b) != text {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.OpenData(e.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if err := s.Remove(e.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
}

// A directory that is removed or replaced under a running Spool is noticed with the next commit, which is not confirmed.
func TestLostDirectory(t *testing.T) {
	for name, lose := range map[string]func(dir string) error{
		"removed":      os.RemoveAll,
		"replaced":     func(dir string) error { return errors.Join(os.Rename(dir, dir+".old"), replace(dir)) },
		"lock removed": func(dir string) error { return os.Remove(filepath.Join(dir, lockFile)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(fastDir(t), "spool")
			s, err := Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			store(t, s, "/a", "x")
			w, err := s.Create(meta("/b"), -1)
			if err != nil {
				t.Fatal(err)
			}
			if err := lose(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(digest(""), nil); !errors.Is(err, ErrLost) {
				t.Errorf("commit: %v", err)
			}
			if _, err := s.Create(meta("/c"), -1); !errors.Is(err, ErrLost) || !errors.Is(s.Err(), ErrLost) {
				t.Errorf("create: %v, Err: %v", err, s.Err())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// replace puts another spool in the place of one.
func replace(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	return s.Close()
}

// Entries that were removed by somebody else just before their commit was confirmed are not confirmed.
func TestEntryRemovedByHand(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	sys := system()
	rename := sys.rename
	sys.rename = func(from, to string) error { return errors.Join(rename(from, to), os.Remove(to)) }
	s, err := openWith(o, sys)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(meta("/b"), -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(digest(""), nil); !errors.Is(err, ErrLost) {
		t.Errorf("commit: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
