// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/spool"
)

// ticket is an entry's place in a lane.
type ticket struct {
	at  string // the ID that it stands behind: its own, or the last one of its set
	sub int    // its place in the set
	id  string
}

// ticketOf is the ticket of an entry that need not wait for others.
func ticketOf(e spool.Entry) ticket {
	if p, err := planOf(e); err == nil && p.Behind != "" {
		return ticket{at: p.Behind, sub: p.Place, id: e.ID}
	}
	return ticket{at: e.ID, id: e.ID}
}

// lane holds what follows one another. It is guarded by Forwarder.mu, and has a goroutine while it is not empty.
type lane struct {
	tickets []ticket            // in their order
	ids     map[string]struct{} // of the tickets: there can be a hundred thousand
	wake    chan struct{}       // a token in it ends the pause of the goroutine
}

// poke has a lane looked at without waiting for the end of its pause. f.mu is held.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// enqueue puts a ticket in its place. f.mu is held.
func (f *Forwarder) enqueue(t ticket, key laneKey) {
	l := f.lanes[key]
	if l == nil {
		l = &lane{ids: make(map[string]struct{}), wake: make(chan struct{}, 1)}
		f.lanes[key] = l
		ctx := f.ctx
		f.running.Go(func() { f.drain(ctx, key, l) })
	}
	if _, ok := l.ids[t.id]; ok {
		l.poke() // it may be due at once now
		return
	}
	// Nearly always at the end: commits that overlap are the exception.
	i := len(l.tickets)
	for i > 0 && compareTickets(t, l.tickets[i-1]) < 0 {
		i--
	}
	l.tickets = slices.Insert(l.tickets, i, t)
	l.ids[t.id] = struct{}{}
	if i == 0 {
		l.poke()
	}
}

func compareTickets(a, b ticket) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sub, b.sub))
}

// left tells that an entry, which is given as it was, is not to be delivered from its lane any more: whatever stands behind it need not
// wait. So it is with newer versions of the same file in other lanes.
func (f *Forwarder) left(e spool.Entry) {
	versions := f.held.store.Lookup(e.Conduit, entryPath(e))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range append(versions, e) {
		if l := f.lanes[laneOf(o)]; l != nil {
			l.poke()
		}
	}
}

// behindOther reports whether an older version of the file, which another device has stored, is to be delivered first: what is there in
// the end must be the newest.
func (f *Forwarder) behindOther(key laneKey, e spool.Entry) bool {
	versions := f.held.store.Lookup(e.Conduit, entryPath(e))
	if len(versions) < 2 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	own, ok := f.place(key, e.ID)
	return ok && slices.ContainsFunc(versions, func(o spool.Entry) bool {
		other, ok := f.place(laneOf(o), o.ID)
		// By the tickets, as in the lanes: so no two can wait for each other.
		return ok && o.State == spool.Waiting && laneOf(o) != key && compareTickets(other, own) < 0
	})
}

// place looks for the ticket of an entry. f.mu is held.
func (f *Forwarder) place(key laneKey, id string) (ticket, bool) {
	l := f.lanes[key]
	if l == nil {
		return ticket{}, false
	}
	if _, ok := l.ids[id]; !ok {
		return ticket{}, false
	}
	return l.tickets[slices.IndexFunc(l.tickets, func(t ticket) bool { return t.id == id })], true
}

// drain delivers what is in a lane until it is empty or ctx ends.
func (f *Forwarder) drain(ctx context.Context, key laneKey, l *lane) {
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
		if !l.rest(ctx, wait) {
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

// dequeue takes an entry out of its lane; others may have been put in front of it. It stays where it has come back in this moment,
// because somebody has released it or renamed it to and fro: it had its place still, and got no other.
func (f *Forwarder) dequeue(key laneKey, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, back := f.current(key, id); back {
		return
	}
	l := f.lanes[key]
	delete(l.ids, id)
	if l.tickets[0].id == id {
		l.tickets = l.tickets[1:]
		return
	}
	l.tickets = slices.DeleteFunc(l.tickets, func(t ticket) bool { return t.id == id })
}

// rest waits until the time has passed or the lane is poked; it is false when ctx has ended.
func (l *lane) rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.wake:
		return true
	case <-ctx.Done():
		return false
	}
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
