// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// aftermath makes a spool that has a bit of everything that Open has to bring into order.
func aftermath(t *testing.T) Options {
	t.Helper()
	o := Options{Dir: fastDir(t)}
	for range 2 { // directories
		s := open(t, o)
		for _, name := range []string{"whole", "changed", "damaged", "record damaged", "removed"} {
			e := store(t, s, "/"+name, name)
			if name == "whole" {
				continue
			}
			if _, err := s.Update(e.ID, func(e *Entry) error { e.State = Held; return nil }); err != nil {
				t.Fatal(err)
			}
			it := s.index.byID[e.ID]
			switch name {
			case "damaged":
				edit(t, s.entryPath(it.seq), func(b []byte) []byte { return b[1:] })
			case "record damaged":
				edit(t, s.recordPath(it.seq), func(b []byte) []byte { return b[1:] })
			case "removed":
				if err := os.Remove(s.entryPath(it.seq)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(o.Dir, incomingDir, fmt.Sprint(i)), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// sound compares what was made of an aftermath, whenever Open was cut short before.
func sound(t *testing.T, where string, o Options) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	var names []string
	for e := range s.All() {
		names = append(names, e.Path)
		if (e.Path == "/changed") != (e.State == Held) {
			t.Errorf("%s: %s is %s", where, e.Path, e.State)
		}
	}
	if want := []string{"/whole", "/changed", "/whole", "/changed"}; !slices.Equal(names, want) {
		t.Errorf("%s: entries %q", where, names)
	}
	apart, err := os.ReadDir(filepath.Join(o.Dir, damagedDir))
	if err != nil || len(apart) != 8 || s.Recovered().SetApart != 4 {
		t.Errorf("%s: set apart are %v, %v", where, apart, err)
	}
	if n := incoming(t, o.Dir); n != 0 {
		t.Errorf("%s: %d incomplete files are left", where, n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(o.Dir, entriesDir, "*", "*"+recordSuffix))
	if err != nil || len(left) != 2 {
		t.Errorf("%s: records %q, %v", where, left, err)
	}
}

// The first of the two directories was brought into order when the second one was made.
func TestRecovery(t *testing.T) {
	o := aftermath(t)
	s := open(t, o)
	if r := s.Recovered(); r.Entries != 4 || r.Bytes != 24 || r.Incomplete != 3 || r.Orphans != 1 || len(r.Damaged) != 2 || r.SetApart != 4 {
		t.Errorf("recovered %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, "again", o)
}

// Every call of a recovery fails, done or not, or the power fails after it. The next one makes of it what this one would have.
func TestRecoveryIsCutShort(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := 1; ; n++ {
			o := aftermath(t)
			d := newDisk(t, o.Dir)
			d.failAt, d.done, d.err = n, done, syscall.ENOMEM
			s, err := openWith(o, d.calls())
			if err == nil {
				err = s.Close()
			}
			where := fmt.Sprintf("call %d, %q, done %v", n, d.failed, done)
			if d.failed == "" {
				break
			}
			if err != nil && !errors.Is(err, syscall.ENOMEM) {
				t.Errorf("%s: %v", where, err)
			}
			for i, img := range d.images(3) {
				cut := Options{Dir: fastDir(t)}
				img.write(t, o.Dir, cut.Dir)
				sound(t, fmt.Sprintf("%s, power cut %d", where, i), cut)
			}
			sound(t, where, o)
		}
	}
}
