// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"io"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// readPart is one packet of a download.
type readPart struct {
	d      *download
	lane   *readLane
	at     int64
	size   int
	large  bool // it counts against the budget
	buffer *[]byte
	sent   *sent
}

// ask asks for some bytes. Where they are many and the budget is used up it asks for few.
func (d *download) ask(l *readLane, at, size int64) (*readPart, error) {
	p := &readPart{d: d, lane: l, at: at, size: int(size)}
	if size > safePacket {
		if p.large = d.conduit.reads.take(); !p.large {
			p.size = safePacket
		}
	}
	p.buffer = d.conduit.buffer(p.size)
	if err := p.send(l); err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

func (p *readPart) send(l *readLane) error {
	s, err := l.ch.send("read", p.d.name, func() *wire.Call {
		return l.ch.client.Read(l.handle, p.at, (*p.buffer)[:p.size])
	})
	if err == nil {
		p.sent = s
	}
	return err
}

// wait returns the bytes. What came from another lane counts only if that has the same file open; otherwise it is read once more.
func (p *readPart) wait(r *readAhead) ([]byte, error) {
	if own := r.lanes[0]; p.lane != own && !p.lane.trusted(p.d) {
		p.lane.await(p.sent.call, p.d.name)
		if err := p.send(own); err != nil {
			return nil, err
		}
		return p.collect(own, r.end)
	}
	return p.collect(p.lane, r.end)
}

// collect waits for the bytes, and for the rest where a server sends less than was asked for: then it is asked for in pieces of the size
// that it sends, all at once.
func (p *readPart) collect(l *readLane, end int64) ([]byte, error) {
	missing := []piece{{p.sent.call, 0, p.size}}
	defer func() {
		for _, m := range missing {
			l.await(m.call, p.d.name)
		}
	}()
	var at int64 // what was being read last
	err := l.ch.do("read", p.d.name, func() error {
		for len(missing) > 0 {
			m := missing[0]
			got, err := m.call.Data()
			if at = p.at + int64(m.from+got); err != nil {
				return err
			}
			missing = missing[1:]
			if got < m.size {
				l.ch.gave(got)
			}
			for from, rest := m.from+got, m.size-got; rest > 0; {
				n := rest
				if got > 0 {
					n = min(rest, got)
				}
				missing = append(missing, piece{l.ch.client.Read(l.handle, p.at+int64(from), (*p.buffer)[from:from+n]), from, n})
				from, rest = from+n, rest-n
			}
		}
		return nil
	})
	switch {
	case err == io.EOF:
		return nil, &transient{fmt.Errorf("the file ends at %d bytes, but had %d when it was opened", at, end)}
	case err != nil:
		return nil, fmt.Errorf("read at %d: %w", p.at, retryable(err))
	}
	return (*p.buffer)[:p.size], nil
}

// piece is a part of a packet, from a position in it.
type piece struct {
	call       *wire.Call
	from, size int
}

// drop gives the buffer back when nobody writes to it any more.
func (p *readPart) drop() {
	p.lane.await(p.sent.call, p.d.name)
	p.free()
}

func (p *readPart) free() {
	p.d.conduit.recycle(p.buffer)
	if p.large {
		p.d.conduit.reads.give()
	}
}

// budget bounds what all transfers of a conduit together hold of something. Nobody waits for it: whoever gets nothing does with less.
type budget struct{ tokens chan struct{} }

func newBudget(n int) budget { return budget{make(chan struct{}, n)} }

func (b budget) take() bool {
	select {
	case b.tokens <- struct{}{}:
		return true
	default:
		return false
	}
}

func (b budget) give()       { <-b.tokens }
func (b budget) empty() bool { return len(b.tokens) == cap(b.tokens) }
