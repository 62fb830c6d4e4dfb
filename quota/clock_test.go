// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// Whoever sets the clock of a running machine neither frees nor blocks anything for longer than it would be.
func TestClockGoesBack(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.Now)
	b := bound(policy.Limits{FilesPerHour: 1})
	if e := pass(t, s, 1, b); e != nil {
		t.Fatal(e)
	}
	c.pass(30 * time.Minute)
	if pass(t, s, 1, b) == nil {
		t.Fatal("a second file within the hour")
	}
	c.pass(-365 * 24 * time.Hour)
	if pass(t, s, 1, b) == nil {
		t.Fatal("the clock went back, and usage was forgotten")
	}
	c.pass(29 * time.Minute)
	if pass(t, s, 1, b) == nil {
		t.Fatal("59 minutes have passed")
	}
	c.pass(3 * time.Minute)
	if e := pass(t, s, 1, b); e != nil {
		t.Errorf("62 minutes have passed: %v", e)
	}
}

// The same with the readings that the program uses, in virtual time.
func TestTimeNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), time.Now)
		b := bound(policy.Limits{FilesPerHour: 1})
		if e := pass(t, s, 1, b); e != nil {
			t.Fatal(e)
		}
		time.Sleep(59 * time.Minute)
		if pass(t, s, 1, b) == nil {
			t.Error("a second file within the hour")
		}
		time.Sleep(3 * time.Minute)
		if e := pass(t, s, 1, b); e != nil {
			t.Error(e)
		}
	})
}

// Across a restart the time that the machine's clock has advanced counts; one that went back stands still, and what follows counts on.
func TestClockAcrossRestarts(t *testing.T) {
	for _, tt := range []struct {
		name string
		off  time.Duration // by which the clock differs at the second start
		then time.Duration // that passes after it
		free bool
	}{
		{"off for two hours", 2 * time.Hour, 0, true},
		{"off for half an hour", 30 * time.Minute, 0, false},
		{"and running for the other half", 30 * time.Minute, 32 * time.Minute, true},
		{"clock lost", -20 * 365 * 24 * time.Hour, 0, false},
		{"clock lost, running for an hour", -20 * 365 * 24 * time.Hour, 61 * time.Minute, true},
	} {
		c, dir := newClock(), t.TempDir()
		b := bound(policy.Limits{FilesPerHour: 1})
		s := open(t, dir, c.Now)
		if e := pass(t, s, 1, b); e != nil {
			t.Fatal(e)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		c.pass(tt.off)
		s = open(t, dir, c.Now)
		c.pass(tt.then)
		if e := pass(t, s, 1, b); (e == nil) != tt.free {
			t.Errorf("%s: %v", tt.name, e)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A clock that is set right after a start with a wrong one is no time that has passed, even where the program is killed afterwards.
func TestClockSet(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	c.pass(-50 * 365 * 24 * time.Hour)
	b := bound(policy.Limits{FilesPerHour: 1})
	s := open(t, dir, c.Now)
	if e := pass(t, s, 1, b); e != nil {
		t.Fatal(e)
	}
	at := s.book.at
	c.pass(50 * 365 * 24 * time.Hour)
	s.mu.Lock()
	s.book.last, s.book.at = c.Now(), at // as the monotonic clock would have it
	s.mu.Unlock()
	s.ClockSet()
	// As if the program were killed as soon as the frame of the clock is written.
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		list, _, err := Read(dir, c.Now, b)
		if err != nil {
			t.Fatal(err)
		}
		if list[0].Used == 1 {
			return
		}
		if time.Now().After(late) {
			t.Fatal("the jump of the clock counts as time that has passed")
		}
	}
}
