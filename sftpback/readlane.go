// SPDX-License-Identifier: Apache-2.0

package sftpback

import "github.com/ftpgw/ftpgw/sftpback/wire"

// readLane is one channel on which a download is read. The download's own has opened the file first. Any other opens it by its name
// once more, and by then it may be another file; so what it reads counts only if the file that it has open looks the same. (Two files
// of the same size and mode and with the same second of modification, put under one name while it is being opened, cannot be told apart by
// this protocol.)
type readLane struct {
	ch      *channel
	opening *sent // OPEN, while its answer has not been looked at
	handle  wire.Handle
	opened  bool
	look    *sent // FSTAT, while its answer has not been looked at
	other   bool  // it has another file open
	under   int   // packets that are under way
}

// newLane begins to open the file on a channel that nobody uses, if there is one.
func (d *download) newLane() *readLane {
	ch := d.conduit.pool.spare()
	if ch == nil {
		return nil
	}
	l := &readLane{ch: ch}
	var err error
	if l.opening, err = ch.sendOpen(d.name); err != nil {
		d.conduit.pool.release(ch)
		return nil
	}
	return l
}

// isOpen looks whether the answer to OPEN has come, without waiting for it.
func (l *readLane) isOpen(d *download) bool {
	if l.opening == nil {
		return l.opened && !l.other
	}
	select {
	case <-l.opening.call.Done():
	default:
		return false
	}
	handle, err := l.opening.call.Handle()
	l.opening = nil
	if err == nil {
		l.handle, l.opened = handle, true
		l.look, err = l.stat(d.name)
	}
	if l.other = err != nil || l.ch.reads() < d.ch.reads(); l.other {
		d.conduit.log.Debug("a file cannot be read on another channel", "path", d.name, "error", err)
	}
	return !l.other
}

// stat asks for the attributes of the file that is open.
func (l *readLane) stat(name string) (*sent, error) {
	return l.ch.send("fstat", name, func() *wire.Call { return l.ch.client.Fstat(l.handle, name) })
}

// await waits for a read of which nothing is wanted any more: until it has ended, its buffer is not ours.
func (l *readLane) await(call *wire.Call, name string) {
	_ = l.ch.do("read", name, func() error { // a server that says nothing is given up, which ends the call, too
		<-call.Done()
		return nil
	})
	<-call.Done()
}

// trusted reports whether the lane has the download's file open.
func (l *readLane) trusted(d *download) bool {
	if l.look != nil {
		info, err := l.look.info()
		l.look = nil
		if l.other = err != nil || !same(info, d.info); l.other {
			d.conduit.log.Debug("another channel has another file open", "path", d.name, "error", err)
		}
	}
	return !l.other
}

// end has the file closed and gives the channel back.
func (l *readLane) end(d *download) {
	switch {
	case l.opened:
		_ = l.ch.closeSoon(l.handle, d.name) // where the link has ended it is closed
	case l.opening != nil:
		l.opening.abandon()
	}
	d.conduit.pool.release(l.ch)
}
