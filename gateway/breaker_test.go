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
		if b.failed("one") {
			t.Fatal("one file has opened it")
		}
	}
	b.succeeded()
	for i := range tripAfter - 1 {
		if b.failed(fmt.Sprint(i)) {
			t.Fatalf("opened after %d files", i+1)
		}
	}
	b.succeeded()
	opened := 0
	for i := range tripAfter {
		if b.failed(fmt.Sprint(i)) {
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
		b.trip()
		passed := make(chan time.Time)
		for range 3 {
			go func() {
				for {
					if _, err := b.enter(t.Context()); err != nil {
						return
					}
					passed <- time.Now()
				}
			}()
		}
		begun := time.Now()
		for range 20 {
			at := <-passed
			synctest.Wait()
			select {
			case <-passed:
				t.Fatal("two probes at a time")
			default:
			}
			if at.Sub(begun) > maxProbe {
				t.Errorf("a probe after %s", at.Sub(begun))
			}
			begun = time.Now()
			b.trip()
		}
		b.succeeded()
		for range 3 {
			<-passed
		}
		b.trip() // those that pass now wait again, and end with the test
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
		probe := func() (waited time.Duration) {
			t.Helper()
			begun := time.Now()
			if probe, err := b.enter(t.Context()); !probe || err != nil {
				t.Fatalf("a probe: %v, %v", probe, err)
			}
			return time.Since(begun)
		}
		if b.accepted() {
			t.Error("a breaker that is closed was closed")
		}
		var last time.Duration
		for range 10 {
			b.trip()
			if b.accepted() {
				t.Error("closed by what no probe has brought")
			}
			last = probe()
			if !b.accepted() || !b.openSince().IsZero() {
				t.Error("a probe is accepted, and the breaker is open")
			}
			if probe, err := b.enter(t.Context()); probe || err != nil {
				t.Errorf("behind that: %v, %v", probe, err)
			}
		}
		if last < maxProbe/2 {
			t.Errorf("a conduit that takes a piece each time, and no file, is tried after %s", last)
		}
		b.succeeded()
		for i := range tripAfter {
			b.failed(fmt.Sprint(i))
		}
		probe()
		if b.accepted() || b.openSince().IsZero() {
			t.Error("files fail, and a piece of one has closed the breaker")
		}
		if !b.succeeded() {
			t.Error("a whole file has not closed it")
		}
		b.trip()
		probe()
		if !b.accepted() {
			t.Error("that files have failed is not over")
		}
	})
}
