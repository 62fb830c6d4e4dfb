// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

func comtradeSets(timeout time.Duration, overdue policy.Overdue) policy.Rule {
	r := spooled("far")
	r.Deliver.Set, r.Deliver.SetTimeout, r.Deliver.SetOverdue = policy.ComtradeSet, timeout, overdue
	return r
}

// put uploads files whose content is their name.
func (s *spooling) put(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.upload(name, strings.NewReader(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// published is filled with the names below the home in the order in which they appear.
func (s *spooling) published() func() []string {
	var mu sync.Mutex
	var order []string
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Publish {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, strings.TrimPrefix(name, "/relay"))
		}
		return nil
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(order)
	}
}

// block makes changes of an entry fail, until what it returns is called.
func block(t *testing.T, dir, id string) (unblock func()) {
	t.Helper()
	record := filepath.Join(dir, "entries", id[:13], id+".record")
	if err := os.Mkdir(record, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(record); err != nil {
			t.Fatal(err)
		}
	}
}

// A set is what is there of it: a file that was removed, or renamed out of it, holds up nothing.
func TestSetOfWhichSomethingIsRemoved(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
		order := s.published()
		defer s.run(t)()
		s.put(t, "/f1.cfg", "/f1.hdr", "/f1.inf")
		if err := s.Remove(t.Context(), s.device, "/f1.hdr"); err != nil {
			t.Fatal(err)
		}
		if err := s.Rename(t.Context(), s.device, "/f1.inf", "/old.txt"); err != nil {
			t.Fatal(err)
		}
		s.put(t, "/f1.dat")
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got, []string{"/old.txt", "/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// Loggers store under another name first: the set is that of the names that the files have in the end.
func TestSetOfRenamedFiles(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
		order := s.published()
		s.down.Store(true)
		defer s.run(t)()
		s.put(t, "/cfg.tmp", "/dat.tmp")
		rename := func(from, to string) {
			t.Helper()
			if err := s.Rename(t.Context(), s.device, from, to); err != nil {
				t.Fatal(err)
			}
		}
		rename("/cfg.tmp", "/f1.cfg")
		s.down.Store(false)
		s.Forwarder().Up("far")
		time.Sleep(time.Second)
		if got := order(); !slices.Equal(got, []string{"/dat.tmp"}) {
			t.Errorf("published %q before the data are there", got)
		}
		s.put(t, "/f1.dat")
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got, []string{"/dat.tmp", "/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// What was accepted long ago is a set all the same when all of it is found at the start, however much lies in between.
func TestWholeSetIsNotOverdueAtTheStart(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Microsecond, policy.HoldOverdue))
	order := s.published()
	s.put(t, "/f1.cfg", "/f2.cfg")
	for i := range 500 {
		s.put(t, fmt.Sprintf("/other-%d/x", i))
	}
	s.put(t, "/f1.dat")
	defer s.run(t)()
	until(t, "delivery", s.empty)
	got := slices.DeleteFunc(order(), func(name string) bool { return strings.HasPrefix(name, "/other") })
	if !slices.Equal(got, []string{"/f1.dat", "/f1.cfg"}) {
		t.Errorf("published %q", got)
	}
	until(t, "it is on record what is held", func() bool { return len(s.log.events(audit.SpoolHeld)) > 0 })
	if held := s.log.events(audit.SpoolHeld); len(held) != 1 || held[0].Path != "/f2.cfg" {
		t.Errorf("held: %+v", held)
	}
}

// A clock that is set back makes no set wait longer.
func TestSetAndClockThatIsSetBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Minute, policy.PublishOverdue))
		order := s.published()
		s.put(t, "/f1.cfg")
		s.clock.Store(int64(-365 * 24 * time.Hour))
		defer s.run(t)()
		time.Sleep(2 * time.Minute)
		if got := order(); !slices.Equal(got, []string{"/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// What need not be there, and comes when the set is gone, follows it.
func TestLateMemberOfSet(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
		order := s.published()
		defer s.run(t)()
		s.put(t, "/f1.cfg", "/f1.dat")
		time.Sleep(time.Minute)
		s.put(t, "/f1.hdr")
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got, []string{"/f1.dat", "/f1.cfg", "/f1.hdr"}) {
			t.Errorf("published %q", got)
		}
		s.put(t, "/f1.cfg") // the next record under the old name
		time.Sleep(time.Minute)
		if got := order(); len(got) != 3 {
			t.Errorf("the next record is not waited for: %q", got)
		}
		s.put(t, "/f1.dat")
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got[3:], []string{"/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// A set that the spool cannot let go, or cannot hold, is not forgotten.
func TestSetThatCannotBeChanged(t *testing.T) {
	for _, overdue := range []policy.Overdue{policy.PublishOverdue, policy.HoldOverdue} {
		t.Run(string(overdue), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Minute, overdue))
				order := s.published()
				defer s.run(t)()
				s.put(t, "/f1.cfg")
				e := s.store.Lookup("far", "/relay/f1.cfg")[0]
				unblock := block(t, dir, e.ID)
				time.Sleep(time.Hour)
				unblock()
				time.Sleep(10 * time.Minute)
				if published := len(order()) == 1; published != (overdue == policy.PublishOverdue) {
					t.Errorf("published %q", order())
				}
				if held := len(s.log.events(audit.SpoolHeld)) == 1; held != (overdue == policy.HoldOverdue) {
					t.Errorf("%d records of what is held", len(s.log.events(audit.SpoolHeld)))
				}
			})
		})
	}
}
