// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// collect adds an entry to its set, which is let go when it is whole or its time has passed. f.mu is held.
func (f *Forwarder) collect(e spool.Entry, p plan) {
	key := setKey(e)
	s := f.sets[key]
	if s == nil {
		s = &fileSet{}
		f.sets[key] = s
	}
	s.members = slices.DeleteFunc(s.members, func(m spool.Entry) bool { return m.ID == e.ID })
	s.members = append(s.members, e)
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.isWhole() {
		delete(f.sets, key)
		f.running.Go(func() { f.letGo(s, "") })
		return
	}
	wait := time.Duration(p.SetTimeout)*time.Millisecond - f.g.now().Sub(e.Accepted)
	s.timer = time.AfterFunc(max(wait, 0), func() { f.overdue(key, s, p) })
}

// overdue ends the waiting for what is missing of a set.
func (f *Forwarder) overdue(key string, s *fileSet, p plan) {
	f.mu.Lock()
	if f.sets[key] != s || f.ctx == nil || f.ctx.Err() != nil { // let go, or stopped, in this moment
		f.mu.Unlock()
		return
	}
	delete(f.sets, key)
	f.running.Add(1) // the lock keeps Run from waiting already
	f.mu.Unlock()
	defer f.running.Done()
	if p.SetOverdue == policy.HoldOverdue {
		f.holdSet(s.members, audit.SpoolHeld, "its set is not whole")
		return
	}
	f.letGo(s, "its set is not whole, and its time has passed")
}

// letGo has the files of a set delivered, one behind the other. That they need not wait any more is durable first: after a restart
// the rest of the set must not wait for what was delivered before.
func (f *Forwarder) letGo(s *fileSet, cause string) {
	s.order()
	ids := make([]string, len(s.members))
	at := ""
	for i, e := range s.members {
		ids[i] = e.ID
		at = max(at, e.ID)
	}
	if err := f.held.store.UpdateAll(ids, release); err != nil {
		f.logger.Error("a set of files could not be released; it is tried again with its next file, or after a restart", "set", s.members[0].Set, "error", err)
		return
	}
	for _, e := range s.members {
		if cause != "" {
			r := EntryRecord(audit.SpoolReleased, e)
			r.Cause = cause
			f.note(r)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx == nil || f.ctx.Err() != nil {
		return
	}
	for i, e := range s.members {
		if now, ok := f.held.store.Get(e.ID); ok && now.State == spool.Waiting {
			f.enqueue(ticket{at: at, sub: i + 1, id: e.ID}, laneOf(now))
		}
	}
}

// release changes an entry so that it need not wait for others of its set.
func release(e *spool.Entry) error {
	p, err := planOf(*e)
	if err != nil {
		return err
	}
	p.Released = true
	e.Plan, err = json.Marshal(p)
	return err
}

// holdSet holds entries until somebody releases them.
func (f *Forwarder) holdSet(entries []spool.Entry, event audit.Event, cause string) {
	for _, e := range entries {
		changed, err := f.held.store.Update(e.ID, func(e *spool.Entry) error {
			if e.State != spool.Waiting {
				return errPreempted
			}
			e.State = spool.Held
			return nil
		})
		if err != nil {
			f.logger.Error("a file could not be held", "entry", e.ID, "path", entryPath(e), "error", err)
			continue
		}
		r := EntryRecord(event, changed)
		r.Cause = cause
		f.note(r)
		f.logger.Warn("ALARM: a file is held until somebody releases it", "entry", e.ID, "path", entryPath(e), "cause", cause, "hint", "ftpgw spool release "+e.ID)
	}
}

// holdRest holds the other files of a set of which one cannot be delivered: a configuration without its data misleads.
func (f *Forwarder) holdRest(e spool.Entry) {
	if e.Set == "" {
		return
	}
	var rest []spool.Entry
	for o := range f.held.store.All() {
		if o.ID != e.ID && o.State == spool.Waiting && o.Set != "" && setKey(o) == setKey(e) {
			rest = append(rest, o)
		}
	}
	f.holdSet(rest, audit.SpoolHeld, "another file of its set cannot be delivered")
}
