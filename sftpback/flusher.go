// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// flushEvery is how much of a file is sent before it is flushed ahead, again and again. A disk of today writes that in some milliseconds,
// and a slow one in less than devices wait for a reply.
const flushEvery = 8 << 20

// flusher has a large file flushed while the rest of it is being sent, so that the flush behind the last byte, for which the device waits,
// has little left to do. It has the file open on a channel of its own, since a server works on nothing else of a channel while it
// flushes. What it has flushed proves nothing: every handle that was written through is flushed at the end all the same. But where the
// disk could not take something, the server may say so only to the one who asked first; so its error is the upload's.
type flusher struct {
	lane  // without a channel when that was given back
	name  string
	under *sent // FSYNC, while its answer has not been looked at
	asked int64 // how large the file was when it was sent
	given bool  // nothing more is asked
	err   error
}

// flushAhead has the file flushed if enough has come since that was done last, and a channel is there that nobody else needs.
func (u *upload) flushAhead() {
	switch {
	case u.size < flushEvery || !u.ch.ordered() || !u.ch.has(extFsync):
		return
	case u.flusher == nil:
		ch := u.conduit.pool.spare()
		if ch == nil {
			return
		}
		u.flusher = &flusher{lane: lane{ch: ch}, name: u.temp}
		u.flusher.open()
	}
	u.flusher.follow(u.size)
	if u.flusher.given {
		u.flusher.leave(u.conduit.pool.release)
	}
}

// open begins to open the file.
func (f *flusher) open() {
	var err error
	f.opening, err = f.ch.send("open", f.name, func() *wire.Call { return f.ch.client.Open(f.name, wire.FlagWrite) })
	f.given = err != nil
}

// follow looks at the answers that have come, and asks for the next flush when it is time.
func (f *flusher) follow(size int64) {
	if f.given || !f.opened && !f.isOpen() || f.under != nil && !f.flushed() || size-f.asked < flushEvery {
		return
	}
	var err error
	f.under, err = f.ch.sendSlow("fsync", f.name, func() *wire.Call { return f.ch.client.Fsync(f.handle) })
	f.asked, f.given = size, err != nil
}

// isOpen looks whether the file is open, without waiting for it.
func (f *flusher) isOpen() bool {
	if !done(f.opening) {
		return false
	}
	var err error
	f.handle, err = f.opening.call.Handle()
	f.opening, f.opened, f.given = nil, err == nil, err != nil
	return f.opened
}

// flushed looks whether the last flush has ended, without waiting for it.
func (f *flusher) flushed() bool {
	if !done(f.under) {
		return false
	}
	f.wait()
	return !f.given
}

// wait waits for the flush that is under way, and returns the first error of all of them. It can be called on nil.
func (f *flusher) wait() error {
	if f == nil {
		return nil
	}
	if f.under != nil {
		var err error
		if !done(f.under) || f.under.call.Status() != nil { // an answer that has come counts, even if the connection has gone since
			err = f.under.status(true)
		}
		f.under = nil
		if f.given = err != nil; err != nil && !isUnsupported(err) && f.err == nil {
			f.err = err
		}
	}
	return f.err
}

// leave has the file closed and gives the channel back, once, behind a flush that is under way: whoever had the channel would wait for
// that. What the flushes have come to can be asked for all the same.
func (f *flusher) leave(release func(*channel)) {
	if f.ch == nil {
		return
	}
	own, under := f.lane, f.under
	f.lane = lane{}
	last := func() {
		if under != nil {
			<-under.call.Done()
		}
		own.end(f.name)
		release(own.ch)
	}
	if under == nil || !own.ch.link.goes(last) { // the link has ended, and with it the flush
		last()
	}
}

// done reports whether a request has been answered.
func done(s *sent) bool {
	select {
	case <-s.call.Done():
		return true
	default:
		return false
	}
}
