// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/spool"
)

// What operators do with entries of the spool. Each is put on record with who has done it.

// ErrState says that an entry is not in a state in which something can be done with it.
var ErrState = errors.New("the entry is not in a state for this")

// goneError says that there is no such entry. It Is ErrState, too.
type goneError struct{ id string }

func (e *goneError) Error() string        { return fmt.Sprintf("there is no entry %q in the spool", e.id) }
func (e *goneError) Is(target error) bool { return target == ErrState }

// Retry has an entry delivered that was set aside or waits for its next attempt.
func (f *Forwarder) Retry(ctx context.Context, id, who string) (spool.Entry, error) {
	return f.operate(ctx, id, who, audit.SpoolReleased, "retry", []spool.State{spool.Aside, spool.Waiting}, func(e *spool.Entry) error {
		e.State, e.NextAttempt = spool.Waiting, time.Time{}
		return release(e)
	})
}

// Hold keeps an entry from being delivered until it is released.
func (f *Forwarder) Hold(ctx context.Context, id, who string) (spool.Entry, error) {
	return f.operate(ctx, id, who, audit.SpoolHeld, "hold", []spool.State{spool.Waiting, spool.Aside}, func(e *spool.Entry) error {
		e.State = spool.Held
		return nil
	})
}

// Release lets an entry be delivered that was held, whatever else of its set is missing.
func (f *Forwarder) Release(ctx context.Context, id, who string) (spool.Entry, error) {
	return f.operate(ctx, id, who, audit.SpoolReleased, "release", []spool.State{spool.Held, spool.Waiting}, func(e *spool.Entry) error {
		e.State = spool.Waiting
		return release(e)
	})
}

// operate changes an entry that nobody is delivering, and puts that on record before.
func (f *Forwarder) operate(ctx context.Context, id, who string, event audit.Event, what string, from []spool.State, change func(*spool.Entry) error) (spool.Entry, error) {
	e, unlock, err := f.take(ctx, id, what, from)
	if err != nil {
		return spool.Entry{}, err
	}
	defer unlock()
	if isSuperseded(e) && event == audit.SpoolReleased {
		return spool.Entry{}, fmt.Errorf("%s of entry %s: a newer version of %s was delivered, which it would replace; export or discard it: %w", what, id, entryPath(e), ErrState)
	}
	r := EntryRecord(event, e)
	r.Cause = what + " by " + who
	if err := f.log.Record(ctx, r); err != nil {
		return spool.Entry{}, &logFailure{err}
	}
	changed, err := f.held.store.Update(id, change)
	if err != nil {
		return spool.Entry{}, fmt.Errorf("spool: %w", err)
	}
	f.offer(changed)
	f.left(changed)
	return changed, nil
}

// take finds and locks an entry.
func (f *Forwarder) take(ctx context.Context, id, what string, from []spool.State) (spool.Entry, func(), error) {
	for {
		e, ok := f.held.store.Get(id)
		if !ok {
			return e, nil, &goneError{id}
		}
		unlock, err := f.held.lock(ctx, e.Conduit, entryPath(e))
		if err != nil {
			return e, nil, err
		}
		name := entryPath(e)
		switch e, ok = f.held.store.Get(id); {
		case ok && entryPath(e) != name: // it was renamed meanwhile, and is not locked
			unlock()
		case !ok || !slices.Contains(from, e.State):
			unlock()
			return e, nil, fmt.Errorf("%s of entry %s, which is %s: %w", what, id, stateWord(e, ok), ErrState)
		default:
			return e, unlock, nil
		}
	}
}

func stateWord(e spool.Entry, ok bool) string {
	if !ok {
		return "gone"
	}
	return string(e.State)
}

// Discard gives an entry up for good: its file will not be delivered, and nobody has it any more.
func (f *Forwarder) Discard(ctx context.Context, id, who, reason string) (spool.Entry, error) {
	e, unlock, err := f.take(ctx, id, "discard", []spool.State{spool.Waiting, spool.Held, spool.Aside, spool.Delivered})
	if err != nil {
		return spool.Entry{}, err
	}
	defer unlock()
	why := "discarded by " + who
	if reason != "" {
		why += ": " + reason
	}
	return e, f.held.discard([]spool.Entry{e}, why)
}

// ForwardStatus is how the emptying of the spool stands.
type ForwardStatus struct {
	spool.Usage
	Conduits []RouteStatus `json:"conduits"`
}

// RouteStatus is how it stands on one conduit.
type RouteStatus struct {
	Conduit   string    `json:"conduit"`
	Waiting   int       `json:"waiting"`                  // entries
	UnderWay  int       `json:"under_way"`                // deliveries, also those that wait for bandwidth, but for nothing else
	Suspended time.Time `json:"suspended_since,omitzero"` // since when nothing but probes is tried
}

// Status tells how the emptying of the spool stands.
func (f *Forwarder) Status() (ForwardStatus, error) {
	usage, err := f.held.store.Usage()
	s := ForwardStatus{Usage: usage}
	waiting := map[string]int{}
	for e := range f.held.store.All() {
		if e.State == spool.Waiting {
			waiting[e.Conduit]++
		}
	}
	for name, r := range f.conduits {
		s.Conduits = append(s.Conduits, RouteStatus{Conduit: name, Waiting: waiting[name], UnderWay: int(r.busy.Load()), Suspended: r.breaker.openSince()})
	}
	slices.SortFunc(s.Conduits, func(a, b RouteStatus) int { return cmp.Compare(a.Conduit, b.Conduit) })
	if err != nil {
		err = fmt.Errorf("spool: %w", err)
	}
	return s, err
}
