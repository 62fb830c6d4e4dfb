// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"io"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

const (
	// readsAtFirst is how many packets of a download are asked for ahead at the beginning, and at least.
	readsAtFirst = 2
	// readsUnder is how many bytes are, at most: a channel's window is 2 MiB, and a little more keeps it full.
	readsUnder = 3 << 20
	// readBudget is how many bytes all downloads of a conduit together may ask for ahead. Each can always go on with a small packet.
	readBudget = 24 << 20
)

// readAhead reads packets ahead of their use, and hands them out in order. How many depends on who waits for whom: a server that is far
// away lets the reader wait, and then more are asked for at once; a slow reader finds packets that have been waiting for it, and then
// fewer are, so that a device on a thin line does not hold memory for nothing.
type readAhead struct {
	d         *download
	next, end int64
	queue     []*readPart
	window    int // packets
	ready     int // how many packets in a row were there before they were wanted
}

func (d *download) readAhead() *readAhead {
	r := &readAhead{d: d, next: d.offset, end: d.info.Size(), window: readsAtFirst}
	if d.first != nil {
		r.queue = append(r.queue, d.first)
		r.next += int64(d.first.size)
		d.first = nil
	}
	return r
}

// readPart is one packet.
type readPart struct {
	d      *download
	at     int64
	size   int
	large  bool // it counts against the budget
	buffer *[]byte
	sent   *sent
}

// ask asks for some bytes. Where they are many and the budget is used up it asks for few.
func (d *download) ask(at, size int64) (*readPart, error) {
	p := &readPart{d: d, at: at, size: int(size)}
	if size > safePacket {
		if p.large = d.conduit.reads.take(); !p.large {
			p.size = safePacket
		}
	}
	return p, p.send()
}

func (p *readPart) send() (err error) {
	p.buffer = p.d.conduit.buffer(p.size)
	p.sent, err = p.d.ch.send("read", p.d.name, func() *wire.Call {
		return p.d.ch.client.Read(p.d.handle, p.at, (*p.buffer)[:p.size])
	})
	if err != nil {
		p.free()
	}
	return err
}

// wait returns the bytes.
func (p *readPart) wait(end int64) ([]byte, error) {
	n := 0
	err := p.d.ch.do("read", p.d.name, func() error {
		for call := p.sent.call; ; { // servers may send less than was asked for
			got, err := call.Data()
			if n += got; err != nil || n == p.size {
				return err
			}
			call = p.d.ch.client.Read(p.d.handle, p.at+int64(n), (*p.buffer)[n:p.size])
			p.sent.call = call
		}
	})
	switch {
	case err == io.EOF:
		return nil, &transient{fmt.Errorf("the file ends at %d bytes, but had %d when it was opened", p.at+int64(n), end)}
	case err != nil:
		return nil, fmt.Errorf("read at %d: %w", p.at, retryable(err))
	}
	return (*p.buffer)[:p.size], nil
}

// drop gives the buffer back when nobody writes to it any more.
func (p *readPart) drop(c *Conduit) {
	<-p.sent.call.Done() // it ends with the channel at the latest
	p.free()
}

func (p *readPart) free() {
	p.d.conduit.recycle(p.buffer)
	if p.large {
		p.d.conduit.reads.give()
	}
}

// head waits for the next packet, and has asked for those behind it.
func (r *readAhead) head() ([]byte, error) {
	if err := r.fill(); err != nil {
		return nil, err
	}
	p := r.queue[0]
	select {
	case <-p.sent.call.Done():
		if r.ready++; r.ready > 4*r.window && r.window > readsAtFirst {
			r.window, r.ready = r.window-1, 0
		}
	default:
		r.window, r.ready = min(r.window+1, max(readsUnder/r.d.ch.readSize, readsAtFirst)), 0
	}
	return p.wait(r.end)
}

// fill asks for packets up to the window.
func (r *readAhead) fill() error {
	for r.next < r.end && len(r.queue) < r.window {
		if len(r.queue) > 0 && r.d.conduit.reads.empty() {
			return nil // the one that is under way has to do
		}
		p, err := r.d.ask(r.next, min(int64(r.d.ch.readSize), r.end-r.next))
		if err != nil {
			if len(r.queue) > 0 {
				return nil // the error of an earlier packet comes first
			}
			return err
		}
		r.next += int64(p.size)
		r.queue = append(r.queue, p)
	}
	return nil
}

func (r *readAhead) pop() {
	r.queue[0].free()
	r.queue[0] = nil
	r.queue = r.queue[1:]
}

// drop waits for the reads that are under way and gives their buffers back.
func (r *readAhead) drop() {
	for _, p := range r.queue {
		p.drop(r.d.conduit)
	}
	r.queue = nil
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
