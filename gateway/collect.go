// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// collect adds an entry to its set, which is let go when it is whole or its time has passed. f.mu is held.
func (f *Forwarder) collect(e spool.Entry) {
	key := setKey(e)
	s := f.sets[key]
	if s == nil {
		s = &fileSet{}
		f.sets[key] = s
	}
	if !slices.Contains(s.ids, e.ID) {
		s.ids = append(s.ids, e.ID)
	}
	s.whole = s.whole && !mustBeThere(e) // else another record begins under the old name
	if !f.starting {                     // what belongs to it may be the next thing that is found
		f.look(key, s)
	}
}

// resume takes up what an earlier run has left of a set. It may have ended while it let the set go: what it has done that with does not go
// without the rest. f.mu is held.
func (f *Forwarder) resume(key string, s *fileSet) {
	members := f.membersOf(key, s)
	behind := "" // what the earlier run has let go is what was accepted up to there
	for _, e := range members {
		if wasLetGo(e) {
			behind = max(behind, ticketOf(e).at)
		}
	}
	s.ids = nil
	var gone []spool.Entry
	for _, e := range members {
		if wasLetGo(e) || waitsForSet(e) && e.ID <= behind {
			gone = append(gone, e)
			continue
		}
		s.ids = append(s.ids, e.ID)
		if !waitsForSet(e) {
			f.enqueue(ticketOf(e), laneOf(e))
		}
	}
	if slices.ContainsFunc(gone, waitsForSet) {
		f.running.Go(func() { f.letGo(key, gone, "") })
	} else {
		for _, e := range gone {
			f.enqueue(ticketOf(e), laneOf(e))
		}
	}
	f.look(key, s)
}

// look lets a set go where it is whole, and otherwise has it wait for what is missing. f.mu is held.
func (f *Forwarder) look(key string, s *fileSet) {
	members := f.membersOf(key, s)
	if len(members) == 0 && !s.whole {
		f.forget(key, s)
		return
	}
	if !isWhole(members) && !s.whole {
		f.await(key, s, timeLeft(members[len(members)-1], f.g.now()))
		return
	}
	s.ids, s.whole = nil, true
	if len(members) > 0 {
		f.await(key, s, setTimeout(members[len(members)-1]))
		f.running.Go(func() { f.letGo(key, members, "") })
	}
}

// membersOf is what counts of a set in this moment, in the order of the IDs: also what waits no more, but for its turn. f.mu is held.
func (f *Forwarder) membersOf(key string, s *fileSet) (members []spool.Entry) {
	for _, id := range s.ids {
		if e, ok := f.held.store.Get(id); ok && e.State == spool.Waiting && e.Set != "" && setKey(e) == key {
			members = append(members, e)
		}
	}
	slices.SortFunc(members, func(a, b spool.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return members
}

func setTimeout(e spool.Entry) time.Duration {
	p, err := planOf(e)
	if err != nil {
		return 0
	}
	return time.Duration(p.SetTimeout) * time.Millisecond
}

// timeLeft is how long a set waits for what is missing, as seen from its last file. A clock that was set back makes that no longer.
func timeLeft(last spool.Entry, now time.Time) time.Duration {
	most := setTimeout(last)
	return max(0, min(most-now.Sub(last.Accepted), most))
}

// await has a set looked at for the last time after a while. f.mu is held.
func (f *Forwarder) await(key string, s *fileSet, wait time.Duration) {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(wait, func() { f.overdue(key, s) })
}

// forget ends a set. f.mu is held.
func (f *Forwarder) forget(key string, s *fileSet) {
	if s.timer != nil {
		s.timer.Stop()
	}
	if f.sets[key] == s {
		delete(f.sets, key)
	}
}

// overdue ends the waiting for what is missing of a set.
func (f *Forwarder) overdue(key string, s *fileSet) {
	f.mu.Lock()
	if f.sets[key] != s || f.ctx == nil || f.ctx.Err() != nil { // let go, or stopped, in this moment
		f.mu.Unlock()
		return
	}
	f.forget(key, s)
	members := f.membersOf(key, s)
	f.running.Add(1) // the lock keeps Run from waiting already
	f.mu.Unlock()
	defer f.running.Done()
	if isWhole(members) { // it could not be let go before
		f.letGo(key, members, "")
		return
	}
	members = slices.DeleteFunc(members, func(e spool.Entry) bool { return !waitsForSet(e) })
	if len(members) == 0 {
		return
	}
	p, err := planOf(members[len(members)-1])
	switch {
	case err == nil && p.SetOverdue == policy.HoldOverdue:
		f.again(key, f.holdSet(members, audit.SpoolHeld, "its set is not whole"))
	default:
		f.letGo(key, members, "its set is not whole, and its time has passed")
	}
}

// again has files waited for once more, with which the spool could not do what was to be done.
func (f *Forwarder) again(key string, failed []spool.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(failed) == 0 || f.ctx == nil || f.ctx.Err() != nil {
		return
	}
	f.await(key, f.put(key, failed), spoolPause)
}

// put puts files back into their set. f.mu is held.
func (f *Forwarder) put(key string, members []spool.Entry) *fileSet {
	s := f.sets[key]
	if s == nil {
		s = &fileSet{}
		f.sets[key] = s
	}
	s.whole = false
	for _, e := range members {
		if !slices.Contains(s.ids, e.ID) {
			s.ids = append(s.ids, e.ID)
		}
	}
	return s
}

// reopen has what is left of a set wait again.
func (f *Forwarder) reopen(key string, members []spool.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx == nil || f.ctx.Err() != nil {
		return
	}
	f.look(key, f.put(key, members))
}

// letGo has the files of a set delivered, one behind the other. That they need not wait any more is durable first, and where each has its
// place: after a restart the rest of the set must neither wait for what was delivered before, nor go in another order.
func (f *Forwarder) letGo(key string, members []spool.Entry, cause string) {
	sortSet(members)
	ids := make([]string, len(members))
	at := ""
	for i, e := range members {
		ids[i] = e.ID
		at = max(at, e.ID)
	}
	err := f.held.store.UpdateAll(ids, func(e *spool.Entry) error {
		if e.State != spool.Waiting || setKey(*e) != key {
			return errPreempted // it is none of the set any more
		}
		place := 1 + slices.IndexFunc(members, func(m spool.Entry) bool { return m.ID == e.ID })
		return changePlan(e, func(p *plan) { p.Released, p.Behind, p.Place = true, at, place })
	})
	if errors.Is(err, errPreempted) || errors.Is(err, fs.ErrNotExist) { // somebody has changed the set, which waits for what is missing now
		f.reopen(key, members)
		return
	}
	if err != nil {
		f.logger.Warn("a set of files could not be released, will be tried again", "set", members[0].Set, "error", err)
		f.again(key, members)
		return
	}
	for _, e := range members {
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
	for _, e := range members {
		if now, ok := f.held.store.Get(e.ID); ok && now.State == spool.Waiting {
			f.enqueue(ticketOf(now), laneOf(now))
		}
	}
}

// release changes an entry so that it need not wait for others of its set.
func release(e *spool.Entry) error {
	return changePlan(e, func(p *plan) { p.Released = true })
}

// holdSet holds entries until somebody releases them, and returns those that could not be held and are waiting still.
func (f *Forwarder) holdSet(entries []spool.Entry, event audit.Event, cause string) (failed []spool.Entry) {
	for _, e := range entries {
		changed, err := f.held.store.Update(e.ID, func(e *spool.Entry) error {
			if e.State != spool.Waiting {
				return errPreempted
			}
			e.State = spool.Held
			return nil
		})
		switch {
		case errors.Is(err, errPreempted), errors.Is(err, fs.ErrNotExist): // somebody else has decided about it
			continue
		case err != nil:
			f.logger.Error("a file could not be held", "entry", e.ID, "path", entryPath(e), "error", err)
			failed = append(failed, e)
			continue
		}
		r := EntryRecord(event, changed)
		r.Cause = cause
		f.note(r)
		f.logger.Warn("ALARM: a file is held until somebody releases it", "entry", e.ID, "path", entryPath(e), "cause", cause, "hint", "ftpgw spool release "+e.ID)
	}
	return failed
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
