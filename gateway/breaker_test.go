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
