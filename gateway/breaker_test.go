// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// A file that fails again and again does not suspend its conduit; many files in a row do, and a success in between starts anew.
func TestBreakerCountsFiles(t *testing.T) {
	b := newBreaker()
	for range 10 * tripAfter {
		if b.failed(0, "one") {
			t.Fatal("one file has opened it")
		}
	}
	b.succeeded()
	for i := range tripAfter - 1 {
		if b.failed(0, fmt.Sprint(i)) {
			t.Fatalf("opened after %d files", i+1)
		}
	}
	b.succeeded()
	opened := 0
	for i := range tripAfter {
		if b.failed(0, fmt.Sprint(i)) {
			opened++
		}
	}
	if opened != 1 || b.openSince().IsZero() {
		t.Errorf("opened %d times", opened)
	}
	b.stop()
}

// While it is open one at a time passes, after a pause that grows to its bound; a success lets all pass.
func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		b.trip(0)
		type pass struct {
			at    time.Time
			probe probe
		}
		passed := make(chan pass)
		for range 3 {
			go func() {
				for {
					p, err := b.enter(t.Context())
					if err != nil {
						return
					}
					passed <- pass{time.Now(), p}
				}
			}()
		}
		begun := time.Now()
		for range 20 {
			p := <-passed
			synctest.Wait()
			select {
			case <-passed:
				t.Fatal("two probes at a time")
			default:
			}
			if after := p.at.Sub(begun); p.probe == 0 || after > maxProbe {
				t.Errorf("probe %d after %s", p.probe, after)
			}
			begun = time.Now()
			b.trip(p.probe)
		}
		b.succeeded()
		for range 3 {
			<-passed
		}
		b.trip(0) // those that pass now wait again, and end with the test
		for done := false; !done; {
			synctest.Wait()
			select {
			case <-passed:
			default:
				done = true
			}
		}
		b.stop()
	})
}

// What is accepted of a probe closes the breaker where the conduit was down, and the pause goes on growing until a file is across. Where
// files have failed one after the other only a whole one does.
func TestBreakerIsClosedByWhatIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		defer b.stop()
		var own probe
		try := func() (waited time.Duration) {
			t.Helper()
			begun := time.Now()
			var err error
			if own, err = b.enter(t.Context()); own == 0 || err != nil {
				t.Fatalf("a probe: %v, %v", own, err)
			}
			return time.Since(begun)
		}
		if b.accepted(own) {
			t.Error("a breaker that is closed was closed")
		}
		var last time.Duration
		for range 10 {
			b.trip(own)
			if b.accepted(own) {
				t.Error("closed by what no probe has brought")
			}
			last = try()
			if !b.accepted(own) || !b.openSince().IsZero() {
				t.Error("a probe is accepted, and the breaker is open")
			}
			if p, err := b.enter(t.Context()); p != 0 || err != nil {
				t.Errorf("behind that: %v, %v", p, err)
			}
		}
		if last < maxProbe/2 {
			t.Errorf("a conduit that takes a piece each time, and no file, is tried after %s", last)
		}
		b.succeeded()
		for i := range tripAfter {
			b.failed(0, fmt.Sprint(i))
		}
		try()
		if b.accepted(own) || b.openSince().IsZero() {
			t.Error("files fail, and a piece of one has closed the breaker")
		}
		if !b.succeeded() {
			t.Error("a whole file has not closed it")
		}
		b.trip(own)
		try()
		if !b.accepted(own) {
			t.Error("that files have failed is not over")
		}
	})
}

// What was under way when the breaker opened, and a probe that has made way for another, fail late. That says nothing about the probe that
// is under way by then, which goes on and is the one that counts.
func TestLateFailuresEndNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		defer b.stop()
		enter := func() probe {
			t.Helper()
			p, err := b.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		early := enter()
		b.trip(0)
		slow := enter()
		b.undecided(slow)
		second := enter()
		for _, late := range []probe{early, slow} {
			if b.trip(late) || b.failed(late, "late") || b.accepted(late) {
				t.Error("what is over has opened or closed the breaker")
			}
			b.undecided(late)
		}
		passed := make(chan probe)
		go func() {
			p, err := b.enter(t.Context())
			if err != nil {
				t.Error(err)
			}
			passed <- p
		}()
		time.Sleep(2 * maxProbe)
		synctest.Wait()
		select {
		case p := <-passed:
			t.Fatalf("probe %d is under way, and %d has passed", second, p)
		default:
		}
		if !b.accepted(second) {
			t.Error("the probe is not taken for what it is")
		}
		if p := <-passed; p != 0 {
			t.Errorf("behind it comes a probe %d", p)
		}
	})
}
