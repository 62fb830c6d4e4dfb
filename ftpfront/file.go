// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/ftpgw/ftpgw/gateway"
)

// common is what the near ends of all transfers share: the library calls ReadFrom or WriteTo with the data connection, then
// TransferError where that failed or never began, then Close.
type common struct {
	ctx   context.Context
	moved *atomic.Int64
	over  *atomic.Bool    // set when the device's data have ended
	left  <-chan struct{} // closed when QUIT comes
	whole bool            // all bytes went through
	ended bool            // Close has been called
	err   error           // why the transfer failed
}

func (c *common) bind(t *running) {
	c.ctx, c.moved, c.over, c.left = t.ctx, &t.moved, &t.ended, t.left
}

// TransferError notes a failure that the file itself has not seen.
func (c *common) TransferError(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Seek accepts any position: where a transfer begins was settled before.
func (c *common) Seek(offset int64, _ int) (int64, error) { return offset, nil }

// errUnused guards the methods that io.Copy leaves aside in favour of ReadFrom and WriteTo.
var errUnused = errors.New("not used by a transfer")

func (c *common) Read([]byte) (int, error) { return 0, errUnused }

// Write is called with nothing after a transfer of nothing.
func (c *common) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return 0, errUnused
}

// why prefers the reason for which the transfer was interrupted over what the interruption looked like.
func (c *common) why(err error) error {
	if err != nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// verdict is how the transfer went when everything is over. dialogue is what the data transfer process returned.
func (c *common) verdict(dialogue error) error {
	switch {
	case errors.Is(dialogue, errNoDataConnection) && c.ctx.Err() == nil:
		return dialogue
	case c.err != nil:
		return c.why(c.err)
	case dialogue != nil:
		return c.why(dialogue)
	case !c.ended || !c.whole:
		return errors.New("the data transfer process left the file unfinished")
	}
	return nil
}

// uploadFile is the near end of STOR, STOU and APPE.
type uploadFile struct {
	common
	form
	in     *gateway.Incoming
	ending func(left <-chan struct{}) gateway.Ending // asked when the data have ended
}

// ReadFrom takes the file from the data connection up to its end.
func (u *uploadFile) ReadFrom(r io.Reader) (int64, error) {
	n, err := u.in.Take(u.ctx, u.reader(&countingReader{r, u.moved, u.over}))
	u.whole, u.err = err == nil, err
	return n, err
}

// Close is where an upload is committed, if all of it came and nothing speaks against it. Its error decides the final reply.
func (u *uploadFile) Close() error {
	u.ended = true
	if u.err == nil && !u.whole {
		u.err = errors.New("nothing was received")
	}
	if u.err != nil {
		u.in.Abort(u.why(u.err))
		return u.err
	}
	u.err = u.in.Commit(u.ctx, u.ending(u.left))
	return u.err
}

// settle aborts an upload that was not closed: after a panic in the library's care, or where no dialogue took place.
func (u *uploadFile) settle(dialogue error) error {
	err := u.verdict(dialogue)
	if err != nil {
		u.in.Abort(err) // does nothing after Commit
	}
	return err
}

func (u *uploadFile) crosses() bool { return u.in.Crosses() }

// downloadFile is the near end of RETR.
type downloadFile struct {
	common
	form
	out *gateway.Outgoing
}

// WriteTo brings the file to the data connection. A file that breaks off ends in a reset: the device must not take it for whole.
func (d *downloadFile) WriteTo(w io.Writer) (int64, error) {
	wire, finish := d.writer(&countingWriter{w, d.moved})
	n, err := d.out.Bring(d.ctx, wire)
	if err == nil {
		err = finish()
	}
	d.whole, d.err = err == nil, err
	if err != nil {
		resetConnection(w)
	}
	return n, err
}

// Close puts the download on record before its 226.
func (d *downloadFile) Close() error {
	d.ended = true
	if d.err == nil && !d.whole {
		d.err = errors.New("nothing was sent")
	}
	if d.err != nil {
		d.out.Abort(d.why(d.err))
		return d.err
	}
	d.err = d.out.Finish(d.ctx)
	return d.err
}

func (d *downloadFile) settle(dialogue error) error {
	err := d.verdict(dialogue)
	if err != nil {
		d.out.Abort(err) // does nothing after Finish
	}
	return err
}

func (d *downloadFile) crosses() bool { return d.out.Crosses() }

// listingFile is the near end of LIST, NLST and MLSD: lines, each ended by CRLF (RFC 959, 3.1.1.1: listings are type A) or by the
// end of a record.
type listingFile struct {
	common
	form
	entries []entry
	line    func(entry) string
}

func (l *listingFile) WriteTo(w io.Writer) (n int64, err error) {
	wire, finish := l.writer(&countingWriter{w, l.moved})
	end := "\r\n"
	if l.records {
		end = "\n"
	}
	b := bufio.NewWriterSize(wire, 32<<10)
	for _, e := range l.entries {
		line := l.line(e)
		_, _ = b.WriteString(line) // an error stays, and comes with Flush
		_, l.err = b.WriteString(end)
		if l.err != nil {
			break
		}
		n += int64(len(line) + len(end))
	}
	if l.err == nil {
		l.err = b.Flush()
	}
	if l.err == nil {
		l.err = finish()
	}
	if l.err != nil {
		resetConnection(w)
	}
	l.whole = l.err == nil
	return n, l.err
}

func (l *listingFile) Close() error {
	l.ended = true
	return l.err
}

func (l *listingFile) settle(dialogue error) error { return l.verdict(dialogue) }

// crosses is false: the listing is made when the transfer begins.
func (l *listingFile) crosses() bool { return false }

// resetConnection ends a data connection so that the device sees that it broke off.
func resetConnection(w io.Writer) {
	if c, ok := w.(*dataConn); ok {
		c.reset()
	}
}

// countingReader and countingWriter keep the number of bytes so far, for STAT.
type countingReader struct {
	io.Reader
	moved *atomic.Int64
	over  *atomic.Bool
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.moved.Add(int64(n))
	if err == io.EOF {
		c.over.Store(true)
	}
	return n, err
}

type countingWriter struct {
	io.Writer
	moved *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.moved.Add(int64(n))
	return n, err
}
