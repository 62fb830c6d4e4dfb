// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// listing is Children as text: names, and directories with a slash.
func listing(s *Spool, dir string) string {
	files, dirs := s.Children("centre", dir)
	var list []string
	for _, e := range files {
		list = append(list, path.Base(e.Path)+"="+e.ID[len(e.ID)-1:])
	}
	for _, d := range dirs {
		list = append(list, d+"/")
	}
	return strings.Join(list, " ")
}

func TestChildrenAndLookup(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t)})
	var ids []string
	for _, name := range []string{"/a", "/d/b", "/d/e/c", "/a", "/z"} {
		ids = append(ids, store(t, s, name, name).ID)
	}
	want := func(when, dir, list string) {
		t.Helper()
		if got := listing(s, dir); got != list {
			t.Errorf("%s: %s has %q, want %q", when, dir, got, list)
		}
	}
	want("at first", "/", "relay-12/")
	want("at first", "/relay-12", "a=3 z=4 d/")
	want("at first", "/relay-12/d", "b=1 e/")
	want("at first", "/relay-12/d/e", "c=2")
	want("at first", "/nowhere", "")
	if files, dirs := s.Children("other", "/"); len(files)+len(dirs) > 0 {
		t.Error("another conduit has entries")
	}
	if list := s.Lookup("centre", "/relay-12/a"); len(list) != 2 || list[0].ID != ids[0] || list[1].ID != ids[3] {
		t.Errorf("lookup: %+v", list)
	}
	set := func(id string, change func(e *Entry)) {
		t.Helper()
		if _, err := s.Update(id, func(e *Entry) error { change(e); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(ids[3], func(e *Entry) { e.State = Delivered })
	want("the newest was delivered", "/relay-12", "a=0 z=4 d/")
	set(ids[2], func(e *Entry) { e.Path = "/moved/c" })
	want("renamed", "/relay-12", "a=0 z=4 d/ moved/")
	want("renamed", "/relay-12/d", "b=1")
	want("renamed", "/relay-12/d/e", "")
	set(ids[0], func(e *Entry) { e.State = Held })
	set(ids[4], func(e *Entry) { e.State = Aside })
	want("held and aside", "/relay-12", "a=0 z=4 d/ moved/")
	if err := s.Remove(ids[1], ids[2]); err != nil {
		t.Fatal(err)
	}
	want("removed", "/relay-12", "a=0 z=4")
	if n := len(s.index.dirs); n != 2 {
		t.Errorf("%d directories are remembered, 2 have entries", n)
	}
	usage(t, s, Usage{Held: Count{1, 2}, Aside: Count{1, 2}, Delivered: Count{1, 2}})
}

// An Update that is not allowed, or whose function fails, changes nothing.
func TestUpdateRefusals(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t)})
	e := store(t, s, "/a", "x")
	own := errors.New("no")
	for name, change := range map[string]func(*Entry) error{
		"error":   func(e *Entry) error { e.Attempts = 9; return own },
		"id":      func(e *Entry) error { e.ID = "1"; return nil },
		"size":    func(e *Entry) error { e.Size++; return nil },
		"digest":  func(e *Entry) error { e.SHA256 = digest("y"); return nil },
		"state":   func(e *Entry) error { e.State = "lost"; return nil },
		"path":    func(e *Entry) error { e.Path = "b"; return nil },
		"receipt": func(e *Entry) error { e.Receipt = []byte("{"); return nil },
	} {
		_, err := s.Update(e.ID, change)
		if err == nil || name == "error" && !errors.Is(err, own) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := s.Get(e.ID); !same(got, e) {
			t.Errorf("%s: the entry is %+v", name, got)
		}
	}
	if err := s.UpdateAll([]string{e.ID, "0"}, func(*Entry) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an entry that is not there: %v", err)
	}
}

func TestExpired(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := open(t, Options{Dir: fastDir(t), Now: func() time.Time { return now }})
	a, b := store(t, s, "/a", "x"), store(t, s, "/b", "x")
	if _, err := s.Update(b.ID, func(e *Entry) error { e.State = Delivered; return nil }); err != nil {
		t.Fatal(err)
	}
	if list := s.Expired(now.Add(time.Hour-1), time.Hour); len(list) != 0 {
		t.Errorf("too early: %+v", list)
	}
	if list := s.Expired(now.Add(time.Hour), time.Hour); len(list) != 1 || list[0].ID != b.ID {
		t.Errorf("%+v", list)
	}
	if u, err := s.Usage(); err != nil || !u.Oldest.Equal(a.Accepted) {
		t.Errorf("oldest is %v, %v", u.Oldest, err)
	}
}

// Many at once, on the same entries and on different ones.
func TestConcurrentUse(t *testing.T) {
	s := open(t, Options{Dir: fastDir(t)})
	shared := store(t, s, "/shared", "x")
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				e := store(t, s, fmt.Sprintf("/%d/%d", w, i), "x")
				if err := s.UpdateAll([]string{e.ID, shared.ID}, func(e *Entry) error { e.Attempts++; return nil }); err != nil {
					t.Error(err)
				}
				s.Children("centre", "/relay-12")
				for range s.All() {
				}
				if err := s.Remove(e.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list := slices.Collect(s.All())
	if len(list) != 1 || list[0].Attempts != 16*20 || list[0].Version != 16*20 {
		t.Errorf("left: %+v", list)
	}
	usage(t, s, Usage{Waiting: Count{1, 1}})
}
