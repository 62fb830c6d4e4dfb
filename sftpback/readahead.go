// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"time"
)

const (
	// readsAtLeast is how many packets of a download are asked for ahead, at least.
	readsAtLeast = 2
	// readsUnder is how many bytes are on one channel, at most: its window is 2 MiB, and a little more keeps it full.
	readsUnder = 3 << 20
	// readRate is the bytes per second that a server far away is taken to be good for, before anything is known of it.
	readRate = 400 << 20
	// readBudget is how many bytes all downloads of a conduit together may ask for ahead. Each can always go on with a small packet.
	readBudget = 24 << 20
)

// readAhead reads packets ahead of their use, and hands them out in order. How many depends on who waits for whom: a server that is far
// away lets the reader wait, and then more are asked for at once; a slow reader finds packets that have been waiting for it, and then
// fewer are, so that a device on a thin line does not hold memory for nothing.
type readAhead struct {
	d         *download
	lanes     []*readLane // the first is the download's own
	turn      int
	next, end int64
	queue     []*readPart
	window    int               // packets
	ready     int               // how many packets in a row were there before they were wanted
	pace      func(n int) error // asked before so many bytes are asked for; nil: nothing slows the reading
}

// newReadAhead reads from a download's offset to end. Its own lane has yet to be opened.
func newReadAhead(d *download, end int64) *readAhead {
	r := &readAhead{d: d, lanes: []*readLane{{ch: d.ch}}, next: d.offset, end: end}
	r.window = readsAtLeast + int(d.trip*readRate/time.Second)/d.ch.reads()
	return r
}

// start asks for the first packet, and for as many as are needed to keep busy a server that is far away.
func (r *readAhead) start() error {
	if r.d.trip < r.d.conduit.far {
		whole := r.window
		defer func() { r.window = whole }()
		r.window = 1
	}
	return r.fill()
}

// restart begins anew, with another end.
func (r *readAhead) restart(end int64) {
	r.dropQueue()
	r.next, r.end = r.d.offset, end
}

// most is how many packets may be under way at once.
func (r *readAhead) most() int { return len(r.lanes) * r.perLane() }

func (r *readAhead) perLane() int { return max(readsUnder/r.d.ch.reads(), readsAtLeast) }

// head waits for the next packet, and has asked for those behind it.
func (r *readAhead) head() ([]byte, error) {
	r.widen() // channels that were wanted may have been opened meanwhile
	if err := r.fill(); err != nil {
		return nil, err
	}
	p := r.queue[0]
	select {
	case <-p.sent.call.Done():
		if r.ready++; r.ready > 4*r.window && r.window > readsAtLeast {
			r.window, r.ready = r.window-1, 0
		}
	default:
		r.window, r.ready = min(r.window+1, r.most()), 0
	}
	return p.wait(r)
}

// fill asks for packets up to the window.
func (r *readAhead) fill() error {
	for r.next < r.end && len(r.queue) < min(r.window, r.most()) {
		if len(r.queue) > 0 && r.d.conduit.reads.empty() {
			return nil // the one that is under way has to do
		}
		lane := r.lane()
		if lane == nil {
			return nil // each has as much under way as it can carry
		}
		p, err := r.ask(lane)
		if err != nil {
			if len(r.queue) > 0 {
				return nil // the error of an earlier packet comes first
			}
			return err
		}
		lane.under++
		r.next += int64(p.size)
		r.queue = append(r.queue, p)
	}
	return nil
}

// ask asks for the next packet, when it may cross.
func (r *readAhead) ask(l *readLane) (*readPart, error) {
	size := min(int64(r.d.ch.reads()), r.end-r.next)
	if r.pace != nil {
		if err := r.pace(int(size)); err != nil {
			return nil, err
		}
	}
	return r.d.ask(l, r.next, size)
}

// lane is the one for the next packet: each has its turn, if it is open and not full.
func (r *readAhead) lane() *readLane {
	for range r.lanes {
		r.turn = (r.turn + 1) % len(r.lanes)
		if l := r.lanes[r.turn]; l.isOpen(r.d) && l.under < r.perLane() {
			return l
		}
	}
	return nil
}

// widen begins to open a large file that is far away on other channels.
func (r *readAhead) widen() {
	for r.d.trip >= r.d.conduit.far && len(r.lanes) < maxLanes && r.end-r.next >= laneAfter && r.d.ch.ordered() {
		l := r.d.newLane()
		if l == nil {
			return
		}
		r.lanes = append(r.lanes, l)
	}
}

func (r *readAhead) pop() {
	r.queue[0].lane.under--
	r.queue[0].free()
	r.queue[0] = nil
	r.queue = r.queue[1:]
}

// dropQueue waits for the reads that are under way and gives their buffers back.
func (r *readAhead) dropQueue() {
	for _, p := range r.queue {
		p.lane.under--
		p.drop()
	}
	r.queue = nil
}

// drop ends the reading, and gives all channels but the download's own back. It can be called again.
func (r *readAhead) drop() {
	r.dropQueue()
	for _, l := range r.lanes[1:] {
		l.end(r.d)
	}
	r.lanes = r.lanes[:1]
}
