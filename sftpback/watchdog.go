// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of one request, in units of RequestTimeout: patience with a request that the server works on in silence (a flush of a
// large file), and the end of patience with one that is never answered although others are.
const (
	slowFactor = 4
	lastFactor = 10
)

// watchdog gives up a channel on which nothing comes in for RequestTimeout while a request waits for its answer. Answers to other
// requests count as something: a request that waits for its turn is not lost.
//
// It looks at the oldest request only, since none can be overdue before that one. Its timer is set when a request finds it unset, and
// then by itself, so that a request costs no timer: there are many of them, and hardly one is ever overdue.
type watchdog struct {
	timeout time.Duration
	giveUp  func(error)
	epoch   time.Time    // what times are counted from, in nanoseconds, so that a clock that is set does not matter
	heard   atomic.Int64 // when bytes last came in

	mu      sync.Mutex
	slow    int64     // until when silence is expected
	slowly  int       // how many requests it is expected for
	waiting []waiting // the oldest first
	last    uint64
	timer   *time.Timer // nil before the first request
	set     bool        // the timer runs
}

// waiting is a request without an answer.
type waiting struct {
	id         uint64
	op, remote string
	since      int64
}

func newWatchdog(timeout time.Duration, giveUp func(error)) *watchdog {
	return &watchdog{timeout: timeout, giveUp: giveUp, epoch: time.Now()}
}

func (w *watchdog) now() int64 { return int64(time.Since(w.epoch)) }

// hear notes that bytes have come in.
func (w *watchdog) hear() { w.heard.Store(w.now()) }

// expectSilence is called before a request on which the server may work for long, and what it returns behind it, once.
func (w *watchdog) expectSilence() (over func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = max(w.slow, w.now()+int64((slowFactor-1)*w.timeout))
	w.slowly++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.slowly--; w.slowly == 0 {
			w.slow = 0
		}
	}
}

// begin has a request watched until it ends.
func (w *watchdog) begin(op, remote string) (id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	w.waiting = append(w.waiting, waiting{w.last, op, remote, w.now()})
	if !w.set {
		w.setLocked(w.timeout)
	}
	return w.last
}

// end ends the watch over a request. When it returns nothing is given up because of it any more.
func (w *watchdog) end(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(r waiting) bool { return r.id == id })
}

func (w *watchdog) setLocked(after time.Duration) {
	w.set = true
	if w.timer == nil {
		w.timer = time.AfterFunc(after, w.look)
		return
	}
	w.timer.Reset(after)
}

// look gives the channel up where the oldest request is overdue, and otherwise looks again when it could be.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = false
	if len(w.waiting) == 0 {
		return
	}
	oldest, now := w.waiting[0], w.now()
	under := time.Duration(now - oldest.since)
	silent := time.Duration(now - max(oldest.since, w.heard.Load(), w.slow))
	if left := min(w.timeout-silent, lastFactor*w.timeout-under); left > 0 {
		w.setLocked(min(left, w.timeout)) // silence may be expected no longer by then
		return
	}
	w.giveUp(fmt.Errorf("no answer to %s %s within %v", oldest.op, oldest.remote, under.Round(time.Millisecond)))
}
