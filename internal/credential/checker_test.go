// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted is a Checker whose checks are counted, and take the password "right" for right.
func counted(most int) (*Checker, *atomic.Int64) {
	c, n := NewChecker(most), new(atomic.Int64)
	c.verify = func(_ string, password []byte) bool { n.Add(1); return string(password) == "right" }
	return c, n
}

func TestCheckerRemembersOnlyWhatWasRight(t *testing.T) {
	c, checks := counted(2)
	now := time.Unix(0, 0)
	c.now = func() time.Time { return now }
	check := func(hash, password string, want bool, wantChecks int64) {
		t.Helper()
		got, err := c.Check(t.Context(), hash, []byte(password), false)
		if err != nil || got != want || checks.Load() != wantChecks {
			t.Errorf("%s %s: %v, %v after %d checks, want %v after %d", hash, password, got, err, checks.Load(), want, wantChecks)
		}
	}
	check("h1", "right", true, 1)
	check("h1", "right", true, 1)
	check("h2", "right", true, 2) // another device, or another hash of the same one
	check("h1", "wrong", false, 3)
	check("h1", "wrong", false, 4)
	now = now.Add(remembered)
	check("h1", "right", true, 5)
}

// What is only pretended is computed each time, also where the password is one that was right a moment ago, and is not remembered.
func TestPretendedChecksAreComputed(t *testing.T) {
	c, checks := counted(2)
	if right, err := c.Check(t.Context(), "h", []byte("right"), false); err != nil || !right {
		t.Fatal(right, err)
	}
	for _, hash := range []string{"h", "other"} {
		for _, password := range []string{"right", "wrong"} {
			before := checks.Load()
			if err := c.Pretend(t.Context(), hash, []byte(password), false); err != nil || checks.Load() != before+1 {
				t.Errorf("%s %s: %v after %d checks", hash, password, err, checks.Load()-before)
			}
		}
	}
	before := checks.Load()
	if right, err := c.Check(t.Context(), "other", []byte("right"), false); err != nil || !right || checks.Load() != before+1 {
		t.Errorf("behind the pretended check: %v, %v after %d checks", right, err, checks.Load()-before)
	}
}

func TestCheckerIsBounded(t *testing.T) {
	c, _ := counted(2)
	for i := range maxRemembered + 10 {
		if _, err := c.Check(t.Context(), string(rune(i)), []byte("right"), true); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.right); n > maxRemembered {
		t.Errorf("%d passwords are remembered", n)
	}
}

// However many strangers guess, no more checks run than there are places, and a known device is checked at once.
func TestStrangersDoNotStarveKnownDevices(t *testing.T) {
	const most = 3
	c := NewChecker(most)
	var running, peak atomic.Int64
	entered, goOn := make(chan struct{}, 100), make(chan struct{})
	c.verify = func(_ string, password []byte) bool {
		if string(password) == "right" {
			return true
		}
		peak.Store(max(peak.Load(), running.Add(1)))
		defer running.Add(-1)
		entered <- struct{}{}
		<-goOn
		return false
	}
	done := make(chan error)
	const guessers = 50
	for range guessers {
		go func() {
			_, err := c.Check(t.Context(), "h", []byte("guess"), false)
			done <- err
		}()
	}
	for range most - 1 {
		<-entered
	}
	if ok, err := c.Check(t.Context(), "h", []byte("right"), true); !ok || err != nil { // all others still run
		t.Errorf("the known device: %v, %v", ok, err)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := c.Check(ended, "h", []byte("guess"), false); !errors.Is(err, gone) {
		t.Errorf("a stranger who left: %v", err)
	}
	close(goOn)
	for range guessers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := peak.Load(); n > most-1 {
		t.Errorf("%d checks ran for strangers at a time", n)
	}
}
