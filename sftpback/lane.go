// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"io/fs"
	"time"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// A channel of SSH carries no more than its window in one round trip, which is 2 MiB with OpenSSH on either side. A large file to or
// from a server that is further away than that lasts takes several channels at once, as far as nobody else needs them.
const (
	// farAway is the round trip from which on that is worth the opening of the file on another channel.
	farAway = 5 * time.Millisecond
	// laneAfter is how much of a file has been sent before it is taken for a large one.
	laneAfter = 256 << 10
	maxLanes  = 8
)

// lane is one channel on which an upload is written.
type lane struct {
	ch      *channel
	opening *sent // OPEN, while its answer has not been looked at
	handle  wire.Handle
	opened  bool    // the handle has yet to be closed
	writes  *writes // nil where none were begun
}

// look asks for the file's attributes.
func (l *lane) look(name string) (*sent, error) {
	return l.ch.send("fstat", name, func() *wire.Call { return l.ch.client.Fstat(l.handle, name) })
}

// lane is the one for the next packet: each that is open has its turn, one that would wait is passed over.
func (u *upload) lane() *lane {
	u.widen()
	for range u.lanes {
		u.turn = (u.turn + 1) % len(u.lanes)
		if l := u.lanes[u.turn]; u.isOpen(l) && !l.writes.full() {
			return l
		}
	}
	return u.lanes[0]
}

// widen begins to open the file on another channel, where that helps. The file belongs to this upload, and the server is one that is
// known to let it be open more than once; a lane that does not come about is not missed.
func (u *upload) widen() {
	if !u.far || len(u.lanes) == maxLanes || u.size < laneAfter || !u.ch.ordered() {
		return
	}
	ch := u.conduit.pool.spare()
	if ch == nil {
		return
	}
	if !ch.ordered() { // behind one address there can be several servers
		u.conduit.pool.release(ch)
		return
	}
	opening, err := ch.send("open", u.temp, func() *wire.Call { return ch.client.Open(u.temp, wire.FlagWrite) })
	if err != nil {
		u.conduit.pool.release(ch)
		return
	}
	u.lanes = append(u.lanes, &lane{ch: ch, opening: opening})
}

// isOpen looks whether the answer to OPEN has come, without waiting for it.
func (u *upload) isOpen(l *lane) bool {
	if l.opening == nil {
		return l.opened
	}
	if !done(l.opening) {
		return false
	}
	handle, err := l.opening.call.Handle()
	l.opening = nil
	if err != nil || u.ch.writeSize > l.ch.writeSize {
		u.conduit.log.Debug("a file cannot be opened on another channel", "path", u.temp, "error", err)
		if err == nil {
			_ = l.ch.closeSoon(handle, u.temp) // where the link has ended it is closed
		}
		return false
	}
	l.handle, l.opened, l.writes = handle, true, newWrites(u.ch.writeSize, &u.failed)
	return true
}

// waitAll returns when all that was sent has been answered.
func (u *upload) waitAll() {
	for _, l := range u.lanes {
		l.writes.wait()
	}
}

// narrow gives back all channels but the first.
func (u *upload) narrow() {
	for _, l := range u.lanes[1:] {
		l.end(u.temp)
		u.conduit.pool.release(l.ch)
	}
	u.lanes = u.lanes[:1]
	if u.flusher != nil {
		u.flusher.leave(u.conduit.pool.release)
		u.flusher = nil
	}
}

// end has the file closed, even if it is only about to be opened. Nothing hangs on that any more.
func (l *lane) end(name string) {
	switch {
	case l.opened:
		_ = l.ch.closeSoon(l.handle, name) // where the link has ended it is closed
	case l.opening != nil:
		l.opening.abandon()
	}
}

// abandon closes what a request for opening is about to open.
func (s *sent) abandon() {
	s.ch.link.goes(func() {
		if h, err := s.handle(); err == nil {
			_ = s.ch.closeSoon(h, s.remote)
		}
	})
}

// same reports whether two looks at a file may have seen the same one.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
