// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// minProbe and maxProbe bound the pause between two probes of a conduit that does not work.
	minProbe = time.Second
	maxProbe = time.Minute
	// tripAfter is how many files in a row may fail on a conduit that seems to work.
	tripAfter = 5
)

// breaker stops all deliveries on a conduit that does not work, but for one at a time that finds out whether it works again.
type breaker struct {
	mu       sync.Mutex
	open     bool   // nothing passes but a probe
	files    bool   // it was files that failed, one after the other: bytes that are accepted say nothing, only a whole file does
	probing  probe  // the one that is under way, or 0
	probes   probe  // how many there have been
	failures int    // in a row, while closed, each of another file
	last     string // the entry that failed last
	pause    time.Duration
	since    time.Time     // when it opened
	changed  chan struct{} // closed with every change that a waiter wants to know of
	due      bool          // the pause is over
	timer    *time.Timer
}

// probe is an attempt that is to find out whether the conduit works, by its number; 0 is one that was begun while the breaker was closed.
// What comes of such an attempt, or of a probe that is over, does not end the probe of another.
type probe uint64

func newBreaker() *breaker { return &breaker{changed: make(chan struct{}), pause: minProbe} }

// enter waits for the turn to deliver: at once while the breaker is closed, else as the next probe.
func (b *breaker) enter(ctx context.Context) (probe, error) {
	for ctx.Err() == nil {
		b.mu.Lock()
		if !b.open {
			b.mu.Unlock()
			return 0, nil
		}
		if b.due && b.probing == 0 {
			b.probes++
			b.probing, b.due = b.probes, false
			b.mu.Unlock()
			return b.probes, nil
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return 0, ctx.Err()
}

// wake tells all waiters to look again. b.mu is held.
func (b *breaker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// succeeded closes the breaker, and reports whether it was open.
func (b *breaker) succeeded() (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was = b.open
	b.open, b.files, b.probing, b.failures, b.last, b.pause, b.since = false, false, 0, 0, "", minProbe, time.Time{}
	b.stopTimer()
	if was {
		b.wake()
	}
	return was
}

// accepted closes the breaker when the far side has taken a piece of a probe, so that nobody waits until a large file is across; it
// reports whether it did. It does so only where the conduit was down: the pause before the next probe, should it go down again before a
// file is across, goes on growing.
func (b *breaker) accepted(p probe) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isUnderWay(p) || b.files {
		return false
	}
	b.open, b.probing, b.since = false, 0, time.Time{}
	b.stopTimer()
	b.wake()
	return true
}

// failed counts a failure of an entry, and reports whether that opened the breaker. One entry that fails again and again says nothing
// about the conduit.
func (b *breaker) failed(p probe, entry string) (opened bool) {
	b.mu.Lock()
	if entry != b.last {
		b.failures++
		b.last = entry
	}
	b.files = b.files || b.failures >= tripAfter
	many := b.files || b.open
	b.mu.Unlock()
	return many && b.trip(p)
}

// isUnderWay reports whether p is a probe that is not over. b.mu is held.
func (b *breaker) isUnderWay(p probe) bool { return p != 0 && p == b.probing }

// trip opens the breaker, or ends the probe p without success; it reports whether it was closed before.
func (b *breaker) trip(p probe) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open && !b.isUnderWay(p) {
		return false // one of those that were under way when it opened
	}
	opened = !b.open
	if opened {
		b.since = time.Now()
	}
	b.open, b.probing = true, 0
	b.stopTimer()
	// Half of the pause is chance, so that several gateways do not come back all at once.
	b.timer = time.AfterFunc(b.pause/2+rand.N(b.pause/2+1), b.kick)
	b.pause = min(2*b.pause, maxProbe)
	return opened
}

// undecided ends a probe that says nothing about the conduit.
func (b *breaker) undecided(p probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isUnderWay(p) {
		b.probing, b.due = 0, true
		b.wake()
	}
}

// kick ends the pause.
func (b *breaker) kick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		b.due = true
		b.wake()
	}
}

// stop frees the timer. Whoever comes next need not wait for the rest of the pause.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopTimer()
	b.due = b.open
}

func (b *breaker) stopTimer() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// openSince is when deliveries were suspended, or the zero time.
func (b *breaker) openSince() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since
}
