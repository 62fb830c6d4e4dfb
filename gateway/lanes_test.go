// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// failOn makes the publishing of one file fail for now, until what it returns is called.
func (s *spooling) failOn(file string, failure error) (mend func()) {
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Commit && name == file {
			return failure
		}
		return nil
	})
	return func() { s.failWith(nil) }
}

// there reports which of the names below the home are on the far side.
func (s *spooling) there(names ...string) (list []string) {
	for _, name := range names {
		if _, ok := s.far.Get("/relay" + name); ok {
			list = append(list, name)
		}
	}
	return list
}

// What somebody does about the file that the others wait for takes effect at once: nobody waits for the rest of its pause.
func TestPauseEndsWithItsReason(t *testing.T) {
	for what, do := range map[string]func(ctx context.Context, s *spooling, id string) error{
		"retry": func(ctx context.Context, s *spooling, id string) error {
			_, err := s.Forwarder().Retry(ctx, id, "uid 0")
			return err
		},
		"hold": func(ctx context.Context, s *spooling, id string) error {
			_, err := s.Forwarder().Hold(ctx, id, "uid 0")
			return err
		},
		"discard": func(ctx context.Context, s *spooling, id string) error {
			_, err := s.Forwarder().Discard(ctx, id, "uid 0", "test")
			return err
		},
		"remove": func(ctx context.Context, s *spooling, _ string) error { return s.Remove(ctx, s.device, "/first") },
		"rename": func(ctx context.Context, s *spooling, _ string) error {
			return s.Rename(ctx, s.device, "/first", "/dir/first")
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
				mend := s.failOn("/relay/first", away{})
				defer s.run(t)()
				s.put(t, "/first", "/second")
				for n := 0; len(s.log.events(audit.SpoolRetry)) < 9; n++ { // its next pause takes minutes
					time.Sleep(time.Second)
					if n%10 == 0 {
						s.put(t, fmt.Sprintf("/other/%d", n)) // the conduit works
					}
				}
				mend()
				if err := do(t.Context(), s, s.store.Lookup("far", "/relay/first")[0].ID); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if got := s.there("/second"); len(got) != 1 {
					t.Error("the next file waits still")
				}
			})
		})
	}
}

// A file that comes back in the moment in which its lane has done with it is not forgotten.
func TestRetryWhileSetAside(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, spooled("far"))
	mend := s.failOn("/relay/x", fmt.Errorf("rename: %w", fs.ErrPermission))
	s.log.after = func(r audit.Record) {
		if r.Event == audit.SpoolAside {
			mend()
			if _, err := s.Forwarder().Retry(t.Context(), r.Entry, "uid 0"); err != nil {
				t.Error(err)
			}
		}
	}
	defer s.run(t)()
	s.put(t, "/x")
	until(t, "delivery", func() bool { return len(s.there("/x")) == 1 })
}

// A clock that was wrong when a delivery failed, and is set right by years, does not stop the next attempt.
func TestClockIsSetBackBetweenAttempts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
		s.clock.Store(int64(3 * 365 * 24 * time.Hour))
		mend := s.failOn("/relay/x", away{})
		defer s.run(t)()
		s.put(t, "/x")
		time.Sleep(10 * time.Second)
		mend()
		s.clock.Store(0)
		time.Sleep(10 * time.Minute)
		if len(s.there("/x")) != 1 {
			t.Error("it waits for the year in which the clock was")
		}
	})
}

// While the spool cannot note anything, because its disk is full, nothing is delivered, and nothing is forgotten.
func TestSpoolThatCannotBeWritten(t *testing.T) {
	for what, failure := range map[string]error{"mark": nil, "set aside": fmt.Errorf("rename: %w", fs.ErrPermission), "postpone": away{}} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
				mend := s.failOn("/relay/x", failure)
				s.put(t, "/x")
				unblock := block(t, dir, s.store.Lookup("far", "/relay/x")[0].ID)
				defer s.run(t)()
				time.Sleep(time.Hour + time.Second) // between two attempts
				if n := len(s.log.events(audit.SpoolAside)); n != 0 || len(s.there("/x")) != 0 {
					t.Errorf("%d set aside, there: %q", n, s.there("/x"))
				}
				mend()
				unblock()
				time.Sleep(20 * time.Minute)
				if len(s.there("/x")) != 1 {
					t.Error("it is forgotten")
				}
			})
		})
	}
}

// The versions of one file arrive in the order in which they were accepted, whoever has stored them: what is there in the end is the
// newest.
func TestOrderOfVersionsFromTwoDevices(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 4}, spooled("far"))
		mend := s.failOn("/relay/x", away{})
		if err := s.upload("/first", strings.NewReader("")); err != nil {
			t.Fatal(err)
		}
		s.put(t, "/x")
		s.device.Device = "other"
		if err := s.upload("/x", strings.NewReader("newer")); err != nil {
			t.Fatal(err)
		}
		defer s.run(t)()
		time.Sleep(10 * time.Second)
		var commits atomic.Int64
		s.failWith(func(step memremote.Step, name string) error { // the older one fails once more
			if step == memremote.Commit && name == "/relay/x" && commits.Add(1) == 1 {
				return away{}
			}
			return nil
		})
		_ = mend
		time.Sleep(time.Hour)
		if data, _ := s.far.Get("/relay/x"); string(data) != "newer" {
			t.Errorf("in the end it is %q", data)
		}
		var order []string
		for _, r := range s.log.events(audit.SpoolDelivered) {
			order = append(order, r.Device+r.Path)
		}
		if !slices.Equal(order, []string{"relay/first", "relay/x", "other/x"}) {
			t.Errorf("order %q", order)
		}
	})
}

// A window that closes is no failure of a file, nor of the conduit.
func TestWindowThatClosesIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		r := spooled("far")
		r.Window = &policy.Window{Between: []policy.Span{{From: 0, To: 60}}, Location: time.UTC, CutOff: true}
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 10}, r)
		for i := range 8 {
			s.put(t, fmt.Sprintf("/%d/x", i))
		}
		s.failWith(func(step memremote.Step, _ string) error {
			if step == memremote.Commit {
				time.Sleep(2 * time.Hour)
			}
			return nil
		})
		stop := s.run(t)
		time.Sleep(3 * time.Hour)
		if a, b := len(s.log.events(audit.SpoolSuspended)), len(s.log.events(audit.SpoolRetry)); a+b > 0 {
			t.Errorf("suspended %d times, %d failures", a, b)
		}
		s.failWith(nil)
		time.Sleep(22 * time.Hour)
		stop()
		if !s.empty() {
			t.Error("not delivered in the next night")
		}
	})
}
