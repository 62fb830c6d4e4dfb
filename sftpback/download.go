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
	at, err := c.resolve(ctx, ch, l, followLast)
	if err != nil {
		return nil, err
	}
	if at.info == nil {
		return nil, fs.ErrNotExist
	}
	if err := replaceable(at.info); err != nil {
		return nil, err // a named pipe would block the server
	}
	d := &download{conduit: c, ch: ch, offset: max(offset, 0), name: at.remote, trip: time.Since(begun)}
	d.ahead = newReadAhead(d, at.info.Size())
	d.ahead.widen() // the other channels open the file in the same flight as this one
	own := d.ahead.lanes[0]
	if own.handle, err = ch.openFile(ctx, at.remote); err != nil {
		d.ahead.drop()
		return nil, fmt.Errorf("open: %w", err)
	}
	own.opened = true
	if err = d.look(); err == nil && (offset < 0 || offset > d.info.Size()) {
		err = fmt.Errorf("%w: %d of %d", gateway.ErrBadOffset, offset, d.info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, d.finish())
	}
	return d, nil
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
