// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// Unknown is a number of bytes that nobody has announced.
const Unknown int64 = -1

// Exceeded is the refusal of what is beyond a limit.
type Exceeded struct {
	Bound policy.Bound
	Limit policy.Limit
	// Used is what counts already, reservations of other transfers included; of max_file, and of a file that is too large for a day by itself, it
	// is that file's bytes as far as they are known.
	Used    int64
	Allowed int64
	// Permanent is true where waiting does not help.
	Permanent bool
	// Free is how long it takes until something is free again; 0 where that is not known.
	Free time.Duration
}

func (e *Exceeded) Error() string {
	if e.Permanent {
		return fmt.Sprintf("%s of %s: %d bytes are more than the %d that are allowed", e.Limit, e.Bound, e.Used, e.Allowed)
	}
	return fmt.Sprintf("%s of %s: %d of %d are used", e.Limit, e.Bound, e.Used, e.Allowed)
}

// Temporary reports whether trying again later can help.
func (e *Exceeded) Temporary() bool { return !e.Permanent }

// Grant is what one transfer may move. It is used by one goroutine at a time, and must be closed.
type Grant struct {
	store    *Store
	holds    []hold
	kept     int64 // bytes of the file that were there before, and are not moved
	taken    int64 // bytes moved
	reserved int64 // bytes, at least those taken, until they are charged
	pace     *Limiter

	charged bool
	at      int64      // the store's time of the charge
	durable chan error // where the charge waits for its being durable; nil when that is known
	failed  error
	moved   int64 // what has moved in the end; Unknown until that is known
	closed  bool
}

// hold is what a grant has of one account.
type hold struct {
	bound   policy.Bound
	account *account
}

// counts reports whether anything is counted there over time.
func (h hold) counts() bool { return h.bound.FilesPerHour > 0 || h.bound.BytesPerDay > 0 }

// Begin begins a transfer of a file of which kept bytes are there already, and announced more are to be moved, where that is not
// Unknown. What is beyond a limit is an *Exceeded, one that is permanent before one that is not; nothing is reserved then.
func (s *Store) Begin(bounds []policy.Bound, kept, announced int64) (*Grant, error) {
	g := &Grant{store: s, kept: kept, moved: Unknown}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.book.tick()
	for _, b := range bounds {
		g.holds = append(g.holds, hold{b, s.book.account(b.Key())})
	}
	if err := g.check(at, max(0, announced), announced == Unknown, true); err != nil {
		return nil, err
	}
	for _, h := range g.holds {
		h.account.running++
	}
	g.reserved = max(0, announced)
	g.reserve(1, g.reserved)
	g.pace = s.limiter(bounds)
	return g, nil
}

// check says whether a file with so many bytes to be moved fits, of which none is reserved yet. more says that there will be more, and
// begins that the transfer is not under way yet. The caller holds mu.
func (g *Grant) check(at, bytes int64, more, begins bool) error {
	for _, h := range g.holds {
		if err := h.fits(g.kept, bytes); err != nil {
			return err
		}
	}
	for _, h := range g.holds {
		b, a := h.bound, h.account
		if b.FilesPerHour > 0 {
			if used := a.files.sum(hourly(), at) + a.heldFiles; used >= b.FilesPerHour {
				return &Exceeded{Bound: b, Limit: policy.FilesPerHour, Used: used, Allowed: b.FilesPerHour, Free: a.files.free(hourly(), at)}
			}
		}
		if err := h.room(at, bytes, more); err != nil {
			return err
		}
		if begins && b.Concurrent > 0 && a.running >= b.Concurrent {
			return &Exceeded{Bound: b, Limit: policy.Concurrent, Used: a.running, Allowed: b.Concurrent}
		}
	}
	return nil
}

// fits says whether a file that large can ever pass.
func (h hold) fits(kept, bytes int64) error {
	b := h.bound
	size := kept + min(bytes, math.MaxInt64-kept) // what is announced can be any number
	switch {
	case b.MaxFile > 0 && size > b.MaxFile:
		return &Exceeded{Bound: b, Limit: policy.MaxFile, Used: size, Allowed: b.MaxFile, Permanent: true}
	case b.BytesPerDay > 0 && bytes > b.BytesPerDay:
		return &Exceeded{Bound: b, Limit: policy.BytesPerDay, Used: bytes, Allowed: b.BytesPerDay, Permanent: true}
	}
	return nil
}

// room says whether so many bytes more fit into the day, or at least one more where more are to come.
func (h hold) room(at, bytes int64, more bool) *Exceeded {
	if h.bound.BytesPerDay == 0 {
		return nil
	}
	if more {
		bytes = max(1, bytes)
	}
	used := h.account.bytes.sum(daily(), at) + h.account.heldBytes
	if bytes > h.bound.BytesPerDay-used {
		return &Exceeded{Bound: h.bound, Limit: policy.BytesPerDay, Used: used, Allowed: h.bound.BytesPerDay, Free: h.account.bytes.free(daily(), at)}
	}
	return nil
}

// reserve changes what is reserved in every account. The caller holds mu.
func (g *Grant) reserve(files, bytes int64) {
	for _, h := range g.holds {
		h.account.heldFiles += files
		if h.bound.BytesPerDay > 0 { // elsewhere a number that is only announced could be any
			h.account.heldBytes += bytes
		}
	}
}

// Take moves n bytes more. Where that is beyond a limit it returns an *Exceeded, and they must not be passed on.
func (g *Grant) Take(n int64) error {
	if g == nil || n == 0 {
		return nil
	}
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	for _, h := range g.holds {
		if err := h.fits(g.kept, g.taken+n); err != nil {
			return err
		}
	}
	if more := g.taken + n - g.reserved; more > 0 {
		at := g.store.book.tick()
		for _, h := range g.holds {
			if err := h.room(at, more, false); err != nil {
				err.Used -= g.reserved // its own do not count against it yet
				return err
			}
		}
		g.reserve(0, more)
		g.reserved += more
	}
	g.taken += n
	return nil
}

// Rebind puts a transfer that is not charged yet under other bounds: what it has moved so far is held against those that are new. It is
// not counted among the transfers that run there, since it is about to end.
func (g *Grant) Rebind(bounds []policy.Bound) error {
	if slices.EqualFunc(g.holds, bounds, func(h hold, b policy.Bound) bool { return h.bound == b }) {
		return nil
	}
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	g.release()
	g.holds = nil
	for _, b := range bounds {
		g.holds = append(g.holds, hold{b, g.store.book.account(b.Key())})
	}
	err := g.check(g.store.book.tick(), g.taken, false, false)
	if err != nil {
		g.holds = nil
	}
	for _, h := range g.holds {
		h.account.running++
	}
	g.reserved = g.taken
	g.reserve(1, g.reserved)
	return err
}

// release gives back reservations and slots. The caller holds mu.
func (g *Grant) release() {
	if !g.charged {
		g.reserve(-1, -g.reserved)
	}
	for _, h := range g.holds {
		h.account.running--
	}
}
