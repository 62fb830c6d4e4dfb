// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/pkg/sftp"

	"github.com/ftpgw/ftpgw/gateway"
)

// download is one file on its way from the server. It holds a channel until it is closed.
type download struct {
	conduit *Conduit
	ch      *channel
	file    *sftp.File
	info    fs.FileInfo
	offset  int64
	close   func() error
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
	d := &download{conduit: c, ch: ch, offset: offset}
	if d.file, err = ch.openFile(ctx, at.remote, os.O_RDONLY); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	d.close = sync.OnceValue(func() error { return ch.do("close", d.file.Name(), d.file.Close) })
	if d.info, err = ch.fstat(ctx, d.file); err == nil {
		err = replaceable(d.info)
	}
	if err == nil && (offset < 0 || offset > d.info.Size()) {
		err = fmt.Errorf("%w: %d of %d", gateway.ErrBadOffset, offset, d.info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// Info is the file as it was when opened.
func (d *download) Info() fs.FileInfo { return d.info }

// Close ends the download and gives its channel back.
func (d *download) Close() error {
	if d.ch == nil {
		return nil
	}
	err := d.close()
	d.conduit.pool.release(d.ch)
	d.ch = nil
	return d.conduit.fault("download", d.file.Name(), err)
}

// WriteTo writes the file from the offset on to w: the bytes up to the size that Open has found, or an error.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	if d.ch == nil {
		return 0, d.conduit.fault("download", d.file.Name(), fmt.Errorf("read: %w", fs.ErrClosed))
	}
	r := &readAhead{d: d, next: d.offset, end: d.info.Size(), window: newWindow(d.ch.readSize)}
	defer r.drop()
	var written int64
	for r.next < r.end || len(r.queue) > 0 {
		if err := r.fill(); err != nil {
			return written, d.conduit.fault("download", d.file.Name(), err)
		}
		p := r.queue[0]
		<-p.done
		if p.err != nil {
			return written, d.conduit.fault("download", d.file.Name(), p.err)
		}
		n, err := w.Write((*p.buffer)[:p.size])
		written += int64(n)
		if err != nil {
			return written, err
		}
		if n < p.size {
			return written, io.ErrShortWrite
		}
		r.pop()
	}
	return written, nil
}

// readAhead reads packets ahead of their use, and hands them out in order.
type readAhead struct {
	d         *download
	window    *window
	next, end int64
	queue     []*readPart
}

// readPart is one packet. Its fields are set when done is closed.
type readPart struct {
	at     int64
	size   int
	buffer *[]byte
	done   chan struct{}
	err    error
}

// fill starts as many reads as the window has room for. The window is counted in queue, so that packets that wait for a slow
// reader take part in it.
func (r *readAhead) fill() error {
	for r.next < r.end && len(r.queue) < cap(r.window.slots) {
		p := &readPart{at: r.next, size: int(min(int64(r.d.ch.readSize), r.end-r.next)), done: make(chan struct{})}
		p.buffer = r.d.conduit.buffer(r.d.ch.readSize)
		single := r.next == r.d.offset && r.next+int64(p.size) == r.end
		r.next += int64(p.size)
		r.queue = append(r.queue, p)
		if single { // a file of one packet needs no goroutine
			r.read(p)
			return nil
		}
		if err := r.window.start(func() error { r.read(p); return p.err }); err != nil {
			p.err = err
			close(p.done)
			return nil // the error of an earlier packet comes first
		}
	}
	return nil
}

func (r *readAhead) read(p *readPart) {
	defer close(p.done)
	name := r.d.file.Name()
	n := 0
	p.err = r.d.ch.do("read", name, func() (err error) {
		n, err = r.d.file.ReadAt((*p.buffer)[:p.size], p.at)
		return err
	})
	switch {
	case p.err == io.EOF && n < p.size:
		p.err = &transient{fmt.Errorf("the file ends at %d bytes, but had %d when it was opened", p.at+int64(n), r.end)}
	case p.err == io.EOF:
		p.err = nil
	case p.err != nil:
		p.err = fmt.Errorf("read at %d: %w", p.at, retryable(p.err))
	}
}

func (r *readAhead) pop() {
	r.d.conduit.buffers.Put(r.queue[0].buffer)
	r.queue[0] = nil
	r.queue = r.queue[1:]
}

// drop waits for the reads that are under way and gives their buffers back.
func (r *readAhead) drop() {
	_ = r.window.wait() // the error that counts has been told
	for len(r.queue) > 0 {
		r.pop()
	}
}
