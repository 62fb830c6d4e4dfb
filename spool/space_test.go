// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// The bound holds to the byte, for what is held, what is on its way, and what was announced.
func TestMaxSize(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t), MaxSize: 100})
	held := store(t, s, "/held", strings.Repeat("x", 40))
	announced, err := s.Create(meta("/announced"), 50)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(meta("/too much"), 11); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "40 of at most 100 bytes") {
		t.Errorf("11 bytes more: %v", err)
	}
	w, err := s.Create(meta("/unknown"), -1)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, 15)); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("15 bytes where 10 have room: %d, %v", n, err)
	}
	if _, err := w.Commit(digest(string(make([]byte, 10))), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("commit of what was cut short: %v", err)
	}
	announced.Abort()
	usage(t, s, Usage{Waiting: Count{1, 40}})
	if err := s.Room(60); err != nil {
		t.Errorf("after both have ended: %v", err)
	}
	if _, err := s.Update(held.ID, func(e *Entry) error { e.State = Delivered; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Room(61); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("what is kept does not count: %v", err)
	}
	if err := s.Remove(held.ID); err != nil {
		t.Fatal(err)
	}
	store(t, s, "/full", strings.Repeat("x", 100))
	if _, err := s.Create(meta("/unknown"), -1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an upload of unknown size into a full spool: %v", err)
	}
	usage(t, s, Usage{Waiting: Count{1, 100}})
}

// Files without a byte are bounded, too: each is in memory. Those on their way count, those that came to nothing do not.
func TestMaxFiles(t *testing.T) {
	o := Options{Dir: fastDir(t), MaxFiles: 2}
	s := open(t, o)
	first := store(t, s, "/a", "")
	w, err := s.Create(meta("/b"), -1)
	if err != nil {
		t.Fatal(err)
	}
	full := func(what string) {
		t.Helper()
		if _, err := s.Create(meta("/c"), -1); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: create: %v", what, err)
		}
		if err := s.Room(0); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: room: %v", what, err)
		}
	}
	full("one on its way")
	w.Abort()
	store(t, s, "/b", "")
	full("two held")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	full("found again")
	if err := s.Remove(first.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Room(0); err != nil {
		t.Errorf("one removed: %v", err)
	}
	store(t, s, "/c", "")
	full("two again")
}

// usage compares what is held and reserved.
func usage(t *testing.T, s *Spool, want Usage) {
	t.Helper()
	u, err := s.Usage()
	if err != nil || u.Waiting != want.Waiting || u.Delivered != want.Delivered || u.Held != want.Held || u.Aside != want.Aside || u.Reserved != want.Reserved {
		t.Errorf("usage is %+v, %v, want %+v", u, err, want)
	}
}

// What was promised to uploads on their way is not given twice, and what they have written is not counted twice.
func TestMinFree(t *testing.T) {
	free := int64(1000)
	sys := system()
	sys.free = func(string) (int64, error) { return free, nil }
	s, err := openWith(Options{Dir: fastDir(t), MinFree: 900}, sys)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(meta("/a"), 60)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Room(41); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "900 must stay free") {
		t.Errorf("got %v", err)
	}
	if _, err := w.Write(make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	free = 940 // the file system knows of them now
	if err := s.Room(40); err != nil {
		t.Errorf("what was written is counted twice: %v", err)
	}
	free = 899
	if _, err := s.Create(meta("/b"), -1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("below the floor: %v", err)
	}
	w.Abort()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A full spool still lets go of what it has.
func TestFullSpoolCanBeEmptied(t *testing.T) {
	sys := system()
	sys.create = func(string) (file, error) { return nil, syscall.ENOSPC }
	o := Options{Dir: fastDir(t)}
	s := open(t, o)
	e := store(t, s, "/a", "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := openWith(o, sys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(e.ID, func(e *Entry) error { e.Attempts++; return nil }); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("update: %v", err)
	}
	if got, _ := s.Get(e.ID); got.Attempts != 0 || s.Err() != nil {
		t.Errorf("after it: %+v, %v", got, s.Err())
	}
	if err := s.Remove(e.ID); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
