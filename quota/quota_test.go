// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/policy"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// clock is a machine's clock that a test sets. It has no monotonic part: a second store sees what another machine start would.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, dir string, now func() time.Time) *Store {
	t.Helper()
	s, r, err := Open(dir, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if r.Damaged != nil || r.Torn {
		t.Fatalf("the journal: %+v", r)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bound(l policy.Limits) policy.Bound { return policy.Bound{Limits: l, Rule: "r", Device: "d"} }

// pass moves a file of so many bytes and returns the refusal, if it is refused.
func pass(t testing.TB, s *Store, n int64, bounds ...policy.Bound) *Exceeded {
	t.Helper()
	g, err := s.Begin(bounds, 0, Unknown)
	if err == nil {
		defer g.Close()
		err = g.Take(n)
	}
	var e *Exceeded
	if errors.As(err, &e) {
		return e
	}
	if err != nil {
		t.Fatal(err)
	}
	g.Charge()
	if err := g.Durable(); err != nil {
		t.Fatal(err)
	}
	g.Keep(n)
	return nil
}

func used(t testing.TB, s *Store, b policy.Bound, l policy.Limit) int64 {
	t.Helper()
	for _, u := range s.Usage(b) {
		if u.Limit == l {
			return u.Used
		}
	}
	t.Fatalf("%s has no %s", b, l)
	return 0
}

// At no moment have there been more files in the 60 minutes before, whenever they came: there is no full hour at which the count starts anew.
func TestTheHourRolls(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.Now)
	b := bound(policy.Limits{FilesPerHour: 3})
	var at []time.Time
	for range 500 {
		if e := pass(t, s, 1, b); e == nil {
			at = append(at, c.Now())
		} else if e.Limit != policy.FilesPerHour || e.Used != 3 || e.Allowed != 3 || e.Permanent || e.Free <= 0 || e.Free > 61*time.Minute {
			t.Fatalf("refused with %+v", e)
		}
		c.pass(97 * time.Second)
	}
	for i := 3; i < len(at); i++ {
		if d := at[i].Sub(at[i-3]); d < time.Hour || d > time.Hour+time.Minute+97*time.Second {
			t.Errorf("the fourth file came %v after the first", d)
		}
	}
	if len(at) < 30 {
		t.Errorf("only %d files passed", len(at))
	}
}

func TestTheDayRolls(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.Now)
	b := bound(policy.Limits{BytesPerDay: 100})
	if e := pass(t, s, 60, b); e != nil {
		t.Fatal(e)
	}
	c.pass(12 * time.Hour)
	if e := pass(t, s, 40, b); e != nil {
		t.Fatal(e)
	}
	c.pass(12*time.Hour - time.Second)
	if e := pass(t, s, 1, b); e == nil || e.Limit != policy.BytesPerDay || e.Used != 100 {
		t.Fatalf("a moment before the day is over: %v", e)
	}
	c.pass(15*time.Minute + 2*time.Second)
	if e := pass(t, s, 61, b); e == nil || e.Used != 40 {
		t.Errorf("more than what is free again: %v", e)
	}
	if e := pass(t, s, 60, b); e != nil {
		t.Errorf("what is free again: %v", e)
	}
}

// What is too large for good is told from what is too much for now.
func TestPermanentAndTemporary(t *testing.T) {
	s := open(t, t.TempDir(), newClock().Now)
	l := policy.Limits{MaxFile: 100, BytesPerDay: 150, FilesPerHour: 2}
	for _, tt := range []struct {
		name            string
		limits          policy.Limits
		kept, announced int64
		limit           policy.Limit // empty for what is allowed
		permanent       bool
	}{
		{"just fits", l, 0, 100, "", false},
		{"announced too large", l, 0, 101, policy.MaxFile, true},
		{"too large together with what is there", l, 60, 41, policy.MaxFile, true},
		{"already too large", l, 101, Unknown, policy.MaxFile, true},
		{"any number can be announced", l, 60, math.MaxInt64, policy.MaxFile, true},
		{"never fits into a day", policy.Limits{BytesPerDay: 150}, 1000, 151, policy.BytesPerDay, true},
		{"announced beyond any limit", policy.Limits{FilesPerHour: 5}, 0, math.MaxInt64, "", false},
	} {
		g, err := s.Begin([]policy.Bound{bound(tt.limits)}, tt.kept, tt.announced)
		var e *Exceeded
		switch errors.As(err, &e); {
		case tt.limit == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.limit != "" && (e == nil || e.Limit != tt.limit || e.Permanent != tt.permanent || e.Temporary() == tt.permanent):
			t.Errorf("%s: %+v", tt.name, e)
		}
		if g != nil {
			g.Close()
		}
	}
	// The permanent one of another account is named before a temporary one.
	small, busy := policy.Bound{Limits: policy.Limits{MaxFile: 10}, Device: "d"}, bound(policy.Limits{FilesPerHour: 1})
	if e := pass(t, s, 1, busy); e != nil {
		t.Fatal(e)
	}
	if _, err := s.Begin([]policy.Bound{busy, small}, 0, 11); err == nil || !strings.Contains(err.Error(), `max_file of device "d": 11 bytes are more than the 10`) {
		t.Errorf("both: %v", err)
	}
	if _, err := s.Begin([]policy.Bound{busy, small}, 0, 1); err == nil || !strings.Contains(err.Error(), `files_per_hour of rule "r" for device "d": 1 of 1 are used`) {
		t.Errorf("the busy one: %v", err)
	}
}

// An upload of unknown size is refused at the byte that is too much, and not before.
func TestTheExceedingByte(t *testing.T) {
	s := open(t, t.TempDir(), newClock().Now)
	b := bound(policy.Limits{BytesPerDay: 100})
	if e := pass(t, s, 70, b); e != nil {
		t.Fatal(e)
	}
	g, err := s.Begin([]policy.Bound{b}, 0, Unknown)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if err := g.Take(1); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	var e *Exceeded
	if err := g.Take(1); !errors.As(err, &e) || e.Permanent || e.Used != 70 {
		t.Errorf("byte 31: %v", err)
	}
	g.Close()
	if n := used(t, s, b, policy.BytesPerDay); n != 70 {
		t.Errorf("%d bytes are used after the abort", n)
	}
	if e := pass(t, s, 31, b); e == nil || e.Permanent {
		t.Errorf("31 bytes: %v", e)
	}
	if e := pass(t, s, 101, b); e == nil || !e.Permanent {
		t.Errorf("more than a day's by itself: %v", e)
	}
	if e := pass(t, s, 30, b); e != nil {
		t.Error(e)
	}
}

// Transfers at the same time cannot take the same file or byte twice, and slots always come back.
func TestReservations(t *testing.T) {
	s := open(t, t.TempDir(), newClock().Now)
	b := bound(policy.Limits{FilesPerHour: 10, BytesPerDay: 1000, Concurrent: 2})
	first, err := s.Begin([]policy.Bound{b}, 0, 600)
	if err != nil {
		t.Fatal(err)
	}
	var e *Exceeded
	if _, err := s.Begin([]policy.Bound{b}, 0, 401); !errors.As(err, &e) || e.Limit != policy.BytesPerDay || e.Used != 600 {
		t.Errorf("bytes that are announced by another: %v", err)
	}
	second, err := s.Begin([]policy.Bound{b}, 0, 400)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin([]policy.Bound{b}, 0, 0); !errors.As(err, &e) || e.Limit != policy.Concurrent || e.Used != 2 || e.Permanent {
		t.Errorf("a third at a time: %v", err)
	}
	first.Close()
	first.Close()
	if n := used(t, s, b, policy.Concurrent); n != 1 {
		t.Errorf("%d run", n)
	}
	if err := second.Take(400); err != nil {
		t.Error(err)
	}
	second.Charge()
	second.Charge()
	second.Keep(400)
	second.Close()
	for l, want := range map[policy.Limit]int64{policy.Concurrent: 0, policy.FilesPerHour: 1, policy.BytesPerDay: 400} {
		if n := used(t, s, b, l); n != want {
			t.Errorf("%s: %d are used, want %d", l, n, want)
		}
	}
}

// What did not move in the end is given back, at the time of the charge: of a download what was sent stays charged.
func TestGivenBack(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	s := open(t, dir, c.Now)
	b := bound(policy.Limits{FilesPerHour: 10, BytesPerDay: 1000})
	for _, tt := range []struct{ moved, files, bytes int64 }{{Unknown, 0, 0}, {200, 1, 200}, {500, 2, 700}} {
		g, err := s.Begin([]policy.Bound{b}, 0, 500)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Take(500); err != nil {
			t.Fatal(err)
		}
		g.Charge()
		if err := g.Durable(); err != nil {
			t.Fatal(err)
		}
		c.pass(3 * time.Minute)
		if tt.moved != Unknown {
			g.Keep(tt.moved)
		}
		g.Close()
		if f, n := used(t, s, b, policy.FilesPerHour), used(t, s, b, policy.BytesPerDay); f != tt.files || n != tt.bytes {
			t.Errorf("%d moved: %d files and %d bytes are used", tt.moved, f, n)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, c.Now)
	if f, n := used(t, s, b, policy.FilesPerHour), used(t, s, b, policy.BytesPerDay); f != 2 || n != 700 {
		t.Errorf("after a restart: %d files and %d bytes are used", f, n)
	}
}

// A transfer whose rule is known only at its end is held against that rule's limits then, and counted there alone.
func TestRebind(t *testing.T) {
	s := open(t, t.TempDir(), newClock().Now)
	first := policy.Bound{Limits: policy.Limits{FilesPerHour: 5}, Rule: "first", Device: "d"}
	second := policy.Bound{Limits: policy.Limits{FilesPerHour: 1, BytesPerDay: 50}, Rule: "second", Device: "d"}
	for i, want := range []policy.Limit{"", policy.FilesPerHour} {
		g, err := s.Begin([]policy.Bound{first}, 0, Unknown)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Take(10); err != nil {
			t.Fatal(err)
		}
		err = g.Rebind([]policy.Bound{second})
		var e *Exceeded
		if errors.As(err, &e); want == "" && err != nil || want != "" && (e == nil || e.Limit != want) {
			t.Errorf("transfer %d: %v", i, err)
		}
		if err == nil {
			g.Charge()
			g.Keep(10)
		}
		g.Close()
	}
	if n, m := used(t, s, first, policy.FilesPerHour), used(t, s, second, policy.FilesPerHour); n != 0 || m != 1 {
		t.Errorf("%d of the first and %d of the second are used", n, m)
	}
}
