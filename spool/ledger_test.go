// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"
)

// ledger is what a Spool was asked for and what it has promised.
type ledger struct {
	mu      sync.Mutex
	content map[string]string // of all that was ever to be committed, by Transfer
	refused map[string]bool   // of those, the ones that the Spool has refused while it went on working
	entries map[string]promise
}

// promise is what may be true of one entry that was confirmed.
type promise struct {
	transfer string
	least    int  // version
	most     int  // more than least while a change is under way, or has failed
	gone     bool // it may be gone
	there    bool // it may be there
}

func newLedger() *ledger {
	return &ledger{content: map[string]string{}, refused: map[string]bool{}, entries: map[string]promise{}}
}

func (l *ledger) clone() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{content: maps.Clone(l.content), refused: maps.Clone(l.refused), entries: maps.Clone(l.entries)}
}

func (l *ledger) set(id string, change func(*promise)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.entries[id]
	change(&p)
	l.entries[id] = p
}

// commit stores a file and books what the Spool says.
func (l *ledger) commit(s *Spool, name, content string) (id string, err error) {
	m := meta("/events/" + name)
	m.Transfer = name
	l.mu.Lock()
	l.content[name] = content
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.refused[name] = s.Err() == nil
			return
		}
		l.entries[id] = promise{transfer: name, there: true}
	}()
	w, err := s.Create(m, -1)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	for _, part := range []string{content[:len(content)/2], content[len(content)/2:]} {
		if _, err := w.Write([]byte(part)); err != nil {
			return "", err
		}
	}
	e, err := w.Commit(digest(content), nil)
	return e.ID, err
}

func (l *ledger) update(s *Spool, ids ...string) error {
	for _, id := range ids {
		l.set(id, func(p *promise) { p.most++ })
	}
	err := s.UpdateAll(ids, func(e *Entry) error {
		e.Attempts++
		e.Path += "+"
		return nil
	})
	for _, id := range ids {
		if err == nil {
			l.set(id, func(p *promise) { p.least++ })
			continue
		}
		if e, ok := s.Get(id); ok && s.Err() == nil {
			// It goes on from what it says, the next change has the next version, and the disk has one or the other.
			l.set(id, func(p *promise) { p.least, p.most = e.Version, e.Version+1 })
		}
	}
	return err
}

func (l *ledger) remove(s *Spool, ids ...string) error {
	for _, id := range ids {
		l.set(id, func(p *promise) { p.gone = true })
	}
	err := s.Remove(ids...)
	for _, id := range ids {
		if err == nil {
			l.set(id, func(p *promise) { p.there = false })
		}
	}
	return err
}

// check compares what a Spool has with what was promised.
func (l *ledger) check(t testing.TB, s *Spool) error {
	t.Helper()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, d := range s.Recovered().Damaged {
		bad("%s is damaged: %s", d.ID, d.Cause)
	}
	found := map[string]bool{}
	last := ""
	for e := range s.All() {
		found[e.ID] = true
		if e.ID <= last {
			bad("%s comes after %s", e.ID, last)
		}
		last = e.ID
		p, promised := l.entries[e.ID]
		if c, known := l.content[e.Transfer]; !known {
			bad("%s (%s) was never sent", e.ID, e.Transfer)
		} else if got, err := readContent(s, e.ID); got != c || err != nil {
			if !p.gone || !errors.Is(err, fs.ErrNotExist) { // a removal that failed can have been done
				bad("%s (%s) is not what was sent: %v", e.ID, e.Transfer, err)
			}
		}
		if l.refused[e.Transfer] {
			bad("%s (%s) is there, but was refused", e.ID, e.Transfer)
		}
		if e.Attempts != e.Version || e.Path != "/events/"+e.Transfer+strings.Repeat("+", e.Version) {
			bad("%s is version %d with path %s and %d attempts", e.ID, e.Version, e.Path, e.Attempts)
		}
		switch {
		case !promised: // whole, but never confirmed
			if e.Version != 0 {
				bad("%s was never confirmed, and is version %d", e.ID, e.Version)
			}
		case !p.there:
			bad("%s (%s) is there, but was removed", e.ID, e.Transfer)
		case p.transfer != e.Transfer || e.Version < p.least || e.Version > p.most:
			bad("%s is %s of version %d, promised was %+v", e.ID, e.Transfer, e.Version, p)
		}
	}
	for id, p := range l.entries {
		if !found[id] && !p.gone {
			bad("%s (%s) was confirmed and is lost", id, p.transfer)
		}
	}
	return errors.Join(errs...)
}
