// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/keylock"
	"github.com/ftpgw/ftpgw/spool"
)

// Forwarder delivers what is held in the spool across the conduits: files of one device for one directory in the order in which they
// were accepted, all others beside them. A file that cannot be delivered now is tried again for ever; one that can never be is set
// aside with an alarm, and does not hold up the rest. Nothing is dropped.
type Forwarder struct {
	g        *Gateway
	held     *holding
	conduits map[string]*route
	keep     time.Duration
	log      Recorder
	logger   *slog.Logger

	mu       sync.Mutex
	ctx      context.Context // of Run; nil while it does not run
	starting bool            // Run has not come to the end of what it found in the spool
	running  sync.WaitGroup
	lanes    map[laneKey]*lane
	sets     map[string]*fileSet // by setKey
}

// route is a conduit as the Forwarder uses it.
type route struct {
	name    string
	remote  Remote
	breaker *breaker
	slots   chan struct{} // one element for each worker that is busy
	slowed  chan struct{} // one element for each delivery that a bandwidth binds
	paced   keylock.Locks // by rule and device: such deliveries of one device
	busy    atomic.Int32  // deliveries under way
}

// ForwardOptions say how the spool is emptied.
type ForwardOptions struct {
	Workers int           // files under way at a time, on each conduit, besides those that wait for bandwidth
	Keep    time.Duration // how long a delivered file is kept; 0: it is removed at once
}

func newForwarder(g *Gateway, remotes map[string]Remote, o ForwardOptions) *Forwarder {
	f := &Forwarder{
		g: g, held: g.held, conduits: make(map[string]*route), keep: o.Keep, log: g.log, logger: g.logger,
		lanes: make(map[laneKey]*lane), sets: make(map[string]*fileSet),
	}
	workers := max(o.Workers, 1)
	for name, r := range remotes {
		f.conduits[name] = &route{
			name: name, remote: r, breaker: newBreaker(), slots: make(chan struct{}, workers), slowed: make(chan struct{}, MaxSlowed),
			paced: keylock.Locks{Width: workers},
		}
	}
	return f
}

// Run delivers until ctx ends, and returns when nothing is under way any more. What was broken off is delivered by the next Run.
func (f *Forwarder) Run(ctx context.Context) {
	f.mu.Lock()
	f.ctx, f.starting = ctx, true
	f.mu.Unlock()
	for e := range f.held.store.All() {
		f.offer(e)
	}
	f.mu.Lock()
	f.starting = false
	for key, s := range f.sets {
		f.resume(key, s)
	}
	f.mu.Unlock()
	f.purge(ctx)
	f.mu.Lock()
	f.ctx = nil // nothing is begun any more
	for key, s := range f.sets {
		f.forget(key, s)
	}
	f.mu.Unlock()
	f.running.Wait()
	for _, r := range f.conduits {
		r.breaker.stop()
	}
}

// offer takes an entry that is waiting: it is delivered when its turn has come. It never blocks.
func (f *Forwarder) offer(e spool.Entry) {
	if e.State != spool.Waiting {
		return
	}
	if _, err := planOf(e); err != nil {
		f.setAside(e, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ctx == nil || f.ctx.Err() != nil: // Run finds it in the spool
	case waitsForSet(e), f.starting && e.Set != "":
		f.collect(e)
	default:
		f.enqueue(ticketOf(e), laneOf(e))
	}
}

// Up tells that a conduit is connected: what waits for it need not wait for the next probe.
func (f *Forwarder) Up(conduit string) {
	if r := f.conduits[conduit]; r != nil {
		r.breaker.kick()
	}
}

// laneKey is what files follow one another by.
type laneKey struct{ conduit, device, dir string }

func laneOf(e spool.Entry) laneKey {
	return laneKey{conduit: e.Conduit, device: e.Device, dir: path.Dir(entryPath(e))}
}

// step takes the first entry of a lane a step further. It returns how long the lane is to wait before the next step, and whether the
// entry is done with as far as this lane goes.
func (f *Forwarder) step(ctx context.Context, key laneKey, id string) (wait time.Duration, done bool) {
	e, ok := f.current(key, id)
	if !ok {
		return 0, true
	}
	r := f.conduits[e.Conduit]
	if r == nil {
		return f.setAside(e, fmt.Errorf("there is no conduit %q any more", e.Conduit))
	}
	if wait := f.untilDue(e); wait > 0 {
		return wait, false
	}
	if f.behindOther(key, e) {
		return orderPoll, false
	}
	t := f.enter(ctx, r, e)
	if t == nil {
		return 0, false
	}
	defer t.leave()
	// It may have waited for a week.
	e, ok = f.current(key, id)
	if wait := f.untilDue(e); !ok || wait > 0 {
		t.undecided()
		return wait, !ok
	}
	return f.conclude(ctx, t, e, f.deliver(ctx, t, e))
}

// current is the entry as it is now; false where it was removed, held or renamed since it got its place in the lane.
func (f *Forwarder) current(key laneKey, id string) (spool.Entry, bool) {
	e, ok := f.held.store.Get(id)
	return e, ok && e.State == spool.Waiting && laneOf(e) == key && !waitsForSet(e)
}

const (
	// windowPoll is how often a closed window is looked at.
	windowPoll = 30 * time.Second
	// spoolPause is how long what the spool could not note waits, for instance while its disk is full.
	spoolPause = 30 * time.Second
	// orderPoll is how often it is looked whether an older version of a file is delivered, besides when it is.
	orderPoll = 30 * time.Second
)

// untilDue is how long an entry has to wait for its rule's window, or since it has failed.
func (f *Forwarder) untilDue(e spool.Entry) time.Duration {
	now := f.g.now()
	if !f.g.policy.Load().Holds(e.Rule, now) {
		return windowPoll
	}
	if now.Before(e.LastAttempt) { // a clock that was set back must not make a file wait for the time in which it was
		return 0
	}
	return min(e.NextAttempt.Sub(now), maxBackoff)
}

// conclude judges what came of an attempt.
func (f *Forwarder) conclude(ctx context.Context, t *turn, e spool.Entry, err error) (wait time.Duration, done bool) {
	switch {
	case err == nil:
		f.healthy(t.route)
		f.left(e)
		return 0, true
	case errors.Is(err, errPreempted), errors.As(err, new(*closedError)):
		t.undecided()
		return 0, false // what the device has made of it is seen at the next look, as is the window
	case ctx.Err() != nil:
		t.undecided()
		return 0, false
	case t.isDown(ctx):
		f.trip(t, err)
		return 0, false
	case !isRetryable(err):
		t.undecided()
		return f.setAside(e, err)
	case errors.As(err, new(*storeError)): // that says nothing about the conduit
		t.undecided()
		return f.postpone(e, err), false
	}
	if t.breaker.failed(t.probe, e.ID) {
		f.suspended(t.route, err)
	}
	return f.postpone(e, err), false
}

// isDown reports whether a failure was the conduit's rather than the file's.
func (r *route) isDown(ctx context.Context) bool {
	err := r.remote.Available(ctx, Requirements{})
	return err != nil && ctx.Err() == nil
}

// isRetryable reports whether an attempt may succeed later. What is unknown may not: it is set aside, where somebody looks at it.
func isRetryable(err error) bool {
	var unrecorded *logFailure
	return IsTemporary(err) || errors.As(err, &unrecorded) || errors.Is(err, ErrChanged) || errors.Is(err, ErrCorrupted)
}

// healthy tells the breaker that the conduit works.
func (f *Forwarder) healthy(r *route) {
	if r.breaker.succeeded() {
		f.resumed(r)
	}
}

// accepted is told of a probe whose file the far side has begun to take, while that is under way.
func (f *Forwarder) accepted(t *turn) {
	if t.breaker.accepted(t.probe) {
		f.resumed(t.route)
	}
}

func (f *Forwarder) resumed(r *route) {
	f.logger.Info("delivery from the spool goes on", "conduit", r.name)
	f.noteConduit(audit.SpoolResumed, r, nil)
}

// trip stops all deliveries on a conduit that is down.
func (f *Forwarder) trip(t *turn, err error) {
	if t.breaker.trip(t.probe) {
		f.suspended(t.route, err)
	}
}

func (f *Forwarder) suspended(r *route, err error) {
	f.logger.Warn("delivery from the spool is suspended", "conduit", r.name, "error", err)
	f.noteConduit(audit.SpoolSuspended, r, err)
}

func (f *Forwarder) noteConduit(event audit.Event, r *route, cause error) {
	rec := audit.Record{Event: event, Detail: map[string]string{"conduit": r.name}}
	if cause != nil {
		rec.Cause = cause.Error()
	}
	if err := f.log.Note(rec); err != nil {
		f.logger.Error("state of the delivery is not on record", "conduit", r.name, "error", err)
	}
}
