// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ticket is an entry's place in a lane.
type ticket struct {
	at  string // the ID that it stands behind: its own, or the last one of its set
	sub int    // its place in the set
	id  string
}

// lane holds what follows one another. It is guarded by Forwarder.mu, and has a goroutine while it is not empty.
type lane struct {
	tickets []ticket
}

// enqueue puts a ticket in its place. f.mu is held.
func (f *Forwarder) enqueue(t ticket, key laneKey) {
	l := f.lanes[key]
	if l == nil {
		l = &lane{}
		f.lanes[key] = l
		ctx := f.ctx
		f.running.Go(func() { f.drain(ctx, key) })
	}
	if slices.ContainsFunc(l.tickets, func(o ticket) bool { return o.id == t.id }) {
		return
	}
	// Nearly always at the end: commits that overlap are the exception.
	i := len(l.tickets)
	for i > 0 && compareTickets(t, l.tickets[i-1]) < 0 {
		i--
	}
	l.tickets = slices.Insert(l.tickets, i, t)
}

func compareTickets(a, b ticket) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sub, b.sub))
}

// drain delivers what is in a lane until it is empty or ctx ends.
func (f *Forwarder) drain(ctx context.Context, key laneKey) {
	for ctx.Err() == nil {
		id, ok := f.first(key)
		if !ok {
			return
		}
		wait, done := f.step(ctx, key, id)
		if done {
			f.dequeue(key, id)
			continue
		}
		if !sleep(ctx, wait) {
			break
		}
	}
	f.mu.Lock()
	delete(f.lanes, key)
	f.mu.Unlock()
}

// first is the entry whose turn it is; without one the lane ends.
func (f *Forwarder) first(key laneKey) (id string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lanes[key]
	if len(l.tickets) == 0 {
		delete(f.lanes, key)
		return "", false
	}
	return l.tickets[0].id, true
}

// dequeue takes an entry out of its lane; others may have been put in front of it.
func (f *Forwarder) dequeue(key laneKey, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lanes[key]
	l.tickets = slices.DeleteFunc(l.tickets, func(t ticket) bool { return t.id == id })
}

// sleep waits; it is false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
