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
	"syscall"

	"github.com/pkg/sftp"

	"github.com/ftpgw/ftpgw/gateway"
)

// upload is one file on its way to the server. It holds a channel until it ends.
type upload struct {
	conduit *Conduit
	ch      *channel
	file    *sftp.File
	window  *window
	target  gateway.Target
	final   string // remote path under which the file is published
	temp    string // remote path under which it is written

	buffer  *[]byte // the packet that is being filled, or nil
	filled  int
	size    int64           // bytes handed over to the window
	ctx     context.Context // ends with Abort, for what has not been sent yet
	stop    context.CancelFunc
	stored  fs.FileInfo // the hidden file when all of it was there
	settled bool        // Commit or Abort has run
}

// Begin opens an upload under a hidden name in the directory of t. It creates the home, but no other directory.
func (c *Conduit) Begin(ctx context.Context, t gateway.Target) (gateway.Upload, error) {
	remote := path.Join(c.cfg.Root, t.Location.String())
	ch, err := c.pool.acquire(ctx)
	if err != nil {
		return nil, c.fault("upload", remote, err)
	}
	u, err := c.begin(ctx, ch, t)
	if err != nil {
		c.pool.release(ch)
		return nil, c.fault("upload", remote, err)
	}
	return u, nil
}

func (c *Conduit) begin(ctx context.Context, ch *channel, t gateway.Target) (*upload, error) {
	if t.Path == "/" {
		return nil, syscall.EISDIR
	}
	if err := checkTarget(t); err != nil {
		return nil, err
	}
	if err := ch.meets(t.Require); err != nil {
		return nil, err
	}
	at, err := c.resolve(ctx, ch, t.Location, keepLast)
	if errors.Is(err, errNoHome) {
		if err := c.makeHome(ctx, ch, t.Location); err != nil {
			return nil, err
		}
		at, err = c.resolve(ctx, ch, t.Location, keepLast)
	}
	if err != nil {
		return nil, err
	}
	if err := replaceable(at.info); err != nil {
		return nil, err
	}
	u := &upload{conduit: c, ch: ch, target: t, final: at.remote, temp: path.Join(path.Dir(at.remote), c.tempName())}
	u.file, err = ch.openFile(ctx, u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		if (isTransient(err) || isFailure(err)) && !errors.Is(err, context.Cause(ctx)) {
			c.leftovers.add(u.temp) // the server may have made it all the same
		}
		return nil, u.storing("open", err)
	}
	c.active.add(u.temp)
	u.window = newWindow(ch.writeSize)
	u.ctx, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := u.window.start(u.restrict); err != nil {
		u.abort()
		return nil, err
	}
	return u, nil
}

// replaceable reports why what stands under the final name of an upload cannot be replaced by a file.
func replaceable(info fs.FileInfo) error {
	switch {
	case info == nil || info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return syscall.EISDIR
	default:
		return fmt.Errorf("%w: there is something that is neither file nor directory (%v)", fs.ErrPermission, info.Mode().Type())
	}
}

// restrict takes the file's mode down to 0640, together with the first writes. The server's umask may be stricter; that stays.
func (u *upload) restrict() error {
	info, err := u.ch.fstat(u.ctx, u.file)
	if err != nil {
		return fmt.Errorf("fstat %s: %w", u.temp, retryable(err))
	}
	const mode = 0o640
	if info.Mode().Perm()&^mode == 0 {
		return nil
	}
	kept := info.Mode().Perm() & mode
	err = tell(u.ctx, u.ch, "fchmod", u.temp, func() error { return u.file.Chmod(kept) })
	if err != nil && !isRefusal(err) {
		return fmt.Errorf("fchmod %s: %w", u.temp, err)
	}
	return nil
}

// Write takes p. It waits when about 2 MiB are under way.
func (u *upload) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if err := u.open(); err != nil {
			return n, err
		}
		taken := copy((*u.buffer)[u.filled:u.ch.writeSize], p)
		u.filled += taken
		n += taken
		p = p[taken:]
		if err := u.flushFull(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom takes bytes until r's end, straight into the packets.
func (u *upload) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if err := u.open(); err != nil {
			return n, err
		}
		taken, err := r.Read((*u.buffer)[u.filled:u.ch.writeSize])
		u.filled += taken
		n += int64(taken)
		if flushErr := u.flushFull(); flushErr != nil {
			return n, flushErr
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// open sees to it that there is room in the buffer.
func (u *upload) open() error {
	if u.settled {
		return u.conduit.fault("upload", u.final, fmt.Errorf("write: %w", fs.ErrClosed))
	}
	if err := u.window.failure(); err != nil {
		return u.conduit.fault("upload", u.final, err)
	}
	if cause := u.ch.link.failure(); cause != nil { // known before the next packet is full, which can take a slow device long
		return u.conduit.fault("upload", u.final, lost(cause))
	}
	if u.buffer == nil {
		u.buffer = u.conduit.buffer(u.ch.writeSize)
	}
	return nil
}

func (u *upload) flushFull() error {
	if u.filled < u.ch.writeSize {
		return nil
	}
	buffer, n, at := u.take()
	err := u.window.start(func() error { return u.write(buffer, n, at) })
	return u.conduit.fault("upload", u.final, err)
}

// take hands the filled buffer over.
func (u *upload) take() (buffer *[]byte, n int, at int64) {
	buffer, n, at = u.buffer, u.filled, u.size
	u.size += int64(n)
	u.buffer, u.filled = nil, 0
	return buffer, n, at
}

// write sends one packet and waits for its acknowledgement.
func (u *upload) write(buffer *[]byte, n int, at int64) error {
	defer u.conduit.buffers.Put(buffer)
	err := tell(u.ctx, u.ch, "write", u.temp, func() error {
		_, err := u.file.WriteAt((*buffer)[:n], at)
		return err
	})
	return u.storing("write", err)
}

// Abort removes what was written: at once where the connection still works, else as soon as there is one again.
func (u *upload) Abort(cause error) {
	if u.settled {
		return
	}
	u.conduit.log.Debug("upload aborted", "path", u.final, "cause", cause)
	u.abort()
	u.conduit.pool.release(u.ch)
}

// abort ends the upload without giving the channel back. The context of whoever asked for the upload may have ended; removing has
// its own time, which is that of its requests.
func (u *upload) abort() {
	defer u.conduit.active.remove(u.temp)
	u.settled = true
	u.stop()
	_ = u.window.wait() // why it failed was told before
	u.free()
	ctx := context.Background()
	if err := tell(ctx, u.ch, "close", u.temp, u.file.Close); err != nil && !errors.Is(err, fs.ErrClosed) {
		u.conduit.log.Debug("cannot close a temporary file", "path", u.temp, "error", err)
	}
	if err := u.ch.remove(ctx, u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.conduit.leftovers.add(u.temp)
	}
}

func (u *upload) free() {
	if u.buffer != nil {
		u.conduit.buffers.Put(u.buffer)
		u.buffer, u.filled = nil, 0
	}
}
