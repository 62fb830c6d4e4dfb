// SPDX-License-Identifier: Apache-2.0

package quota

// Charge turns what was reserved into usage, as of now: one file, and the bytes taken. It does not wait: Durable does.
func (g *Grant) Charge() {
	if g == nil || g.charged {
		return
	}
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	g.reserve(-1, -g.reserved)
	g.charged, g.at = true, s.book.tick()
	last := -1
	for i, h := range g.holds {
		if h.counts() {
			last = i
		}
	}
	for i, h := range g.holds {
		if !h.counts() {
			continue
		}
		u := use{Key: h.bound.Key(), At: g.at, Files: 1, Bytes: g.taken}
		s.book.apply(u)
		if i == last { // all of them are in one batch
			g.durable = make(chan error, 1)
			s.enqueue(u, g.durable)
		} else {
			s.enqueue(u, nil)
		}
	}
}

// Durable returns nil when what was charged is on stable storage, and an error when it is not, and may not get there. Trying again
// later can help.
func (g *Grant) Durable() error {
	if g == nil {
		return nil
	}
	if g.durable != nil {
		g.failed = <-g.durable // the writer always answers
		g.durable = nil
	}
	return g.failed
}

// Keep says how many of the bytes have moved in the end, so that Close does not give back the charge for them and for the file.
func (g *Grant) Keep(moved int64) {
	if g != nil {
		g.moved = moved
	}
}

// Close ends the transfer: what was reserved is free again, and what was charged and has not moved is given back. A second Close does
// nothing.
func (g *Grant) Close() {
	if g == nil || g.closed {
		return
	}
	g.closed = true
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	g.release()
	if !g.charged || g.moved == g.taken {
		return
	}
	u := use{At: g.at, Files: -1, Bytes: -g.taken}
	if g.moved != Unknown {
		u.Files, u.Bytes = 0, g.moved-g.taken
	}
	for _, h := range g.holds {
		if h.counts() {
			u.Key = h.bound.Key()
			s.book.apply(u)
			s.enqueue(u, nil) // a crash before it is durable leaves the charge, never less
		}
	}
}
