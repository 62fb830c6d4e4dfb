// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// All who come while an fsync is under way share the next one, and its result.
func TestFlushIsShared(t *testing.T) {
	entered, leave := make(chan []string), make(chan error)
	f := &flusher{sync: func(dirs []string, _ []*item) error {
		entered <- dirs
		return <-leave
	}}
	results := make(chan error, 11)
	var wg sync.WaitGroup
	first := f.join(nil, "a")
	wg.Go(func() { results <- f.wait(first) })
	if dirs := <-entered; fmt.Sprint(dirs) != "[a]" {
		t.Errorf("the first round is for %q", dirs)
	}
	for i := range 10 {
		b := f.join(nil, string(rune('a'+i%2)))
		wg.Go(func() { results <- f.wait(b) })
	}
	leave <- nil
	if err := <-results; err != nil {
		t.Errorf("the first one: %v", err)
	}
	if dirs := <-entered; fmt.Sprint(dirs) != "[a b]" {
		t.Errorf("the second round is for %q", dirs)
	}
	broken := errors.New("broken")
	leave <- broken
	for range 10 {
		if err := <-results; !errors.Is(err, broken) {
			t.Errorf("one of the ten: %v", err)
		}
	}
	wg.Wait()
	if f.running || f.next != nil {
		t.Error("it believes that there is work left")
	}
}

// After a failed fsync of a directory nothing is confirmed any more, though the next one would succeed, and what was not confirmed
// is not there after the next start.
func TestFailedFlushEndsTheSpool(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	s := open(t, o)
	kept := store(t, s, "/kept", "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var failing bool
	sys := system()
	opened := sys.open
	sys.open = func(path string) (file, error) {
		f, err := opened(path)
		if failing && strings.Contains(path, entriesDir) {
			failing = false // once, as Linux does
			return unsyncable{f}, err
		}
		return f, err
	}
	s, err := openWith(o, sys)
	if err != nil {
		t.Fatal(err)
	}
	store(t, s, "/before", "x") // makes the directory
	var list []*Writer
	for _, name := range []string{"/a", "/b"} {
		w, err := s.Create(meta(name), -1)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, w)
	}
	failing = true
	for _, w := range list {
		if _, err := w.Commit(digest(""), nil); !errors.Is(err, syscall.EIO) {
			t.Errorf("commit: %v", err)
		}
	}
	_, update := s.Update(kept.ID, func(*Entry) error { return nil })
	if !errors.Is(update, syscall.EIO) || !errors.Is(s.Remove(kept.ID), syscall.EIO) || !errors.Is(s.Err(), syscall.EIO) {
		t.Errorf("it goes on: %v, %v", update, s.Err())
	}
	if content(t, s, kept.ID) != "x" {
		t.Error("what is there cannot be read any more")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	if r := s.Recovered(); r.Entries != 2 || r.Incomplete != 0 {
		t.Errorf("recovered %+v", r)
	}
}

type unsyncable struct{ file }

func (unsyncable) Sync() error { return syscall.EIO }

// A batch that has gathered while the one before it failed has failed, too.
func TestBatchBehindAFailedOne(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t)})
	s.fail(syscall.EIO)
	if err := s.flusher.wait(s.flusher.join(nil, s.path(entriesDir))); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}
