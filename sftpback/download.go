// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// download is one file on its way from the server. It holds a channel until it is closed.
type download struct {
	conduit *Conduit
	ch      *channel // nil when it is closed
	name    string   // remote path
	info    fs.FileInfo
	offset  int64
	trip    time.Duration // what a round trip takes, or a little more
	ahead   *readAhead    // nil when nothing more is to be read
}

// Open opens a regular file for reading from offset.
func (c *Conduit) Open(ctx context.Context, l gateway.Location, offset int64) (gateway.Download, error) {
	remote := path.Join(c.cfg.Root, l.String())
	ch, err := c.pool.acquire(ctx)
	if err != nil {
		return nil, c.fault("download", remote, err)
	}
	d, err := c.open(ctx, ch, l, offset)
	if err != nil {
		c.pool.release(ch)
		return nil, c.fault("download", remote, err)
	}
	return d, nil
}

func (c *Conduit) open(ctx context.Context, ch *channel, l gateway.Location, offset int64) (*download, error) {
	begun := time.Now()
	at, opening, err := c.find(ctx, ch, l)
	if err != nil {
		return nil, err
	}
	d := &download{conduit: c, ch: ch, offset: max(offset, 0), name: at.remote, trip: time.Since(begun)}
	d.ahead = newReadAhead(d, at.info.Size())
	d.ahead.widen() // the other channels open the file in the same flight as this one, if that is not under way
	own := d.ahead.lanes[0]
	if opening == nil {
		opening, err = ch.sendOpen(at.remote)
	}
	if err == nil {
		own.handle, err = opening.handle()
	}
	if err != nil {
		d.ahead.drop()
		return nil, fmt.Errorf("open: %w", err)
	}
	own.opened = true
	c.filesLately.add(at.remote)
	if err = d.look(); err == nil && (offset < 0 || offset > d.info.Size()) {
		err = fmt.Errorf("%w: %d of %d", gateway.ErrBadOffset, offset, d.info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, d.finish())
	}
	return d, nil
}

// find looks for a regular file. Where there was one under its name a short time ago it is opened in the same flight, behind the look. If it
// is another thing now, nothing is read from it, and the file is closed.
func (c *Conduit) find(ctx context.Context, ch *channel, l gateway.Location) (at spot, opening *sent, err error) {
	name := path.Join(c.home(l), l.Path)
	at, err = c.resolveBeside(ctx, ch, l, followLast, func() *sent {
		if c.filesLately.has(name) {
			opening, _ = ch.sendOpen(name) // where it cannot be sent there are no answers to the questions before it either
		}
		return opening
	})
	if err == nil && at.info == nil {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = replaceable(at.info)
	}
	if err == nil {
		err = ctx.Err()
	}
	if opening != nil && (err != nil || at.linked || at.remote != name) {
		c.filesLately.remove(name)
		ch.takeBack(opening, at.info)
		opening = nil
	}
	return at, opening, err
}

// takeBack has a file closed that is not the one it was taken for. Somebody may have put a named pipe in the place of a file that was
// there: then opening it blocks the server, which is told that nobody is interested in this channel any more.
func (ch *channel) takeBack(opening *sent, info fs.FileInfo) {
	if ch.dead.Load() {
		return // no answer is to be waited for
	}
	if info != nil && !info.Mode().IsRegular() && !info.IsDir() {
		ch.leave()
		return
	}
	opening.abandon()
}

// linkOpens is how long is waited for what was opened through a symbolic link. Opening a file is a matter of milliseconds.
const linkOpens = 2 * time.Second

// settle waits until what was sent beside the look at a path is answered, before more is asked, where the path has turned out to lead
// through a link: that may be one to a named pipe, behind which no question would be answered.
func (ch *channel) settle(beside *sent) error {
	if beside == nil {
		return nil
	}
	timer := time.NewTimer(linkOpens)
	defer timer.Stop()
	select {
	case <-beside.call.Done():
		return nil
	case <-timer.C:
	}
	ch.leave()
	return lost(fmt.Errorf("no answer to %s %s, which leads through a symbolic link", beside.op, beside.remote))
}

// leave gives the channel up, and nothing else on its link.
func (ch *channel) leave() {
	ch.dead.Store(true)
	_ = ch.client.Close() // whatever comes of it, nobody uses it any more
}

// look asks for the file's attributes and, in the same flight, for its first bytes, as far as the look before it was opened has shown
// that there are any.
func (d *download) look() error {
	look, err := d.ahead.lanes[0].stat(d.name)
	if err != nil {
		return err
	}
	if err := d.ahead.start(); err != nil {
		return err
	}
	if d.info, err = look.info(); err != nil {
		return err
	}
	if d.info.Size() != d.ahead.end { // it is not what it was before it was opened
		d.ahead.restart(d.info.Size())
	}
	return replaceable(d.info)
}

// Info is the file as it was when opened.
func (d *download) Info() fs.FileInfo { return d.info }

// Close ends the download and gives its channel back. That the server closes the file is not waited for: nothing hangs on it.
func (d *download) Close() error {
	if d.ch == nil {
		return nil
	}
	err := d.finish()
	d.conduit.pool.release(d.ch)
	d.ch = nil
	return d.conduit.fault("download", d.name, err)
}

// finish has the file closed.
func (d *download) finish() error {
	own := d.ahead.lanes[0]
	d.ahead.drop()
	return own.ch.closeSoon(own.handle, d.name)
}

// WriteTo writes the file from the offset on to w: the bytes up to the size that Open has found, or an error.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	if d.ch == nil {
		return 0, d.conduit.fault("download", d.name, fmt.Errorf("read: %w", fs.ErrClosed))
	}
	r := d.ahead
	defer r.drop()
	var written int64
	for r.next < r.end || len(r.queue) > 0 {
		p, err := r.head()
		if err != nil {
			return written, d.conduit.fault("download", d.name, err)
		}
		n, err := w.Write(p)
		written += int64(n)
		if err != nil {
			return written, err
		}
		if n < len(p) {
			return written, io.ErrShortWrite
		}
		r.pop()
	}
	return written, nil
}
