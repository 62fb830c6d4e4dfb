// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// upload is one file on its way to the server. It holds a channel until it ends.
type upload struct {
	conduit *Conduit
	ch      *channel   // the first lane's, for all but the data
	lanes   []*lane    // on which the data go; the first is always there
	turn    int        // the lane that the last packet took
	far     bool       // the server is so far away that one lane is not enough for a large file
	failed  firstError // of the packets that were sent
	flusher *flusher   // of a large file; or nil
	target  gateway.Target
	final   string // remote path under which the file is published
	temp    string // remote path under which it is written

	buffer  *[]byte // the packet that is being filled, behind wire.Room; or nil
	filled  int
	size    int64       // bytes that were sent
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
	at, made, err := c.place(ctx, ch, t)
	if errors.Is(err, errNoHome) {
		if err := c.makeHome(ctx, ch, t.Location); err != nil {
			return nil, err
		}
		at, err = c.resolve(ctx, ch, t.Location, keepLast)
	}
	if err == nil {
		err = replaceable(at.info)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && made == nil {
		made = c.newCreation(ch, t, path.Dir(at.remote))
		err = made.send()
	}
	if err != nil {
		if made != nil {
			made.undo()
		}
		return nil, err
	}
	u := &upload{conduit: c, ch: ch, target: t, final: at.remote, temp: made.temp}
	if err := u.create(made); err != nil {
		return nil, err
	}
	return u, nil
}

// create waits for the hidden file.
func (u *upload) create(made *creation) error {
	handle, err := made.opening.handle()
	u.far = time.Since(made.begun) >= u.conduit.far
	if err != nil {
		if isTransient(err) || isFailure(err) {
			u.conduit.leftovers.add(u.temp, u.dir()) // the server may have made it all the same
		} else {
			u.conduit.dirs.leave(u.dir())
		}
		return u.storing("open", err)
	}
	u.lanes = []*lane{{ch: u.ch, handle: handle, opened: true}}
	u.conduit.dirsLately.add(path.Dir(u.final))
	u.conduit.active.add(u.temp)
	return nil
}

// dir is where the hidden file is.
func (u *upload) dir() gateway.Location { return dirOf(u.target.Location) }

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

// restrict takes the file's mode down to fileMode, where a server has made it with another one than it was asked for.
func (u *upload) restrict(info fs.FileInfo) error {
	if info.Mode().Perm()&^fileMode == 0 {
		return nil
	}
	kept := info.Mode().Perm() & fileMode
	err := u.ch.do("fchmod", u.temp, u.ch.client.Fchmod(u.lanes[0].handle, kept).Status)
	if err != nil && !isRefusal(err) {
		return fmt.Errorf("fchmod %s: %w", u.temp, err)
	}
	return nil
}

// Write takes p. It waits when as much is under way as there may be.
func (u *upload) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if err := u.open(); err != nil {
			return n, err
		}
		taken := copy(u.space(), p)
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
		taken, err := r.Read(u.space())
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
	if err := u.failed.get(); err != nil {
		return u.conduit.fault("upload", u.final, err)
	}
	if cause := u.ch.link.failure(); cause != nil { // known before the next packet is full, which can take a slow device long
		return u.conduit.fault("upload", u.final, lost(cause))
	}
	if u.buffer == nil {
		u.buffer = u.conduit.buffer(u.packetSize())
	}
	return nil
}

// packetSize is the data in one packet. The first one is small: most files of devices are, and have no use for more.
func (u *upload) packetSize() int {
	if !u.streaming() {
		return min(safePacket, u.ch.writeSize)
	}
	return u.ch.writeSize
}

// streaming reports whether the file is larger than its first packet.
func (u *upload) streaming() bool { return u.lanes[0].writes != nil }

// space is what is left of the packet that is being filled.
func (u *upload) space() []byte {
	return (*u.buffer)[wire.Room+u.filled : wire.Room+u.packetSize()]
}

// flushFull sends the packet when it is full.
func (u *upload) flushFull() error {
	if u.filled < u.packetSize() {
		return nil
	}
	if !u.streaming() {
		if err := u.stream(); err != nil {
			return u.conduit.fault("upload", u.final, err)
		}
	}
	l := u.lane()
	s, err := u.send(l)
	if err != nil {
		return u.conduit.fault("upload", u.final, err)
	}
	u.free() // the next one may be larger
	l.writes.add(func() error {
		err := u.storing("write", s.status(false))
		if err == nil && u.target.Accepted != nil && u.failed.get() == nil {
			u.target.Accepted()
		}
		return err
	})
	u.flushAhead()
	return nil
}

// stream begins the writing of a file that is larger than one packet. Its mode is looked at before the first byte is there to be read.
func (u *upload) stream() error {
	first := u.lanes[0]
	look, err := first.look(u.temp)
	if err != nil {
		return err
	}
	first.writes = newWrites(u.ch.writeSize, &u.failed)
	first.writes.add(func() error {
		info, err := look.info()
		if err != nil {
			return fmt.Errorf("fstat %s: %w", u.temp, retryable(err))
		}
		return u.restrict(info)
	})
	return nil
}

// send sends what is in the buffer, which is free then.
func (u *upload) send(l *lane) (*sent, error) {
	packet := (*u.buffer)[:wire.Room+u.filled]
	s, err := l.ch.send("write", u.temp, func() *wire.Call { return l.ch.client.Write(l.handle, u.size, packet) })
	u.size += int64(u.filled)
	u.filled = 0
	return s, err
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
	u.waitAll() // why it failed was told before
	u.narrow()
	u.free()
	if err := u.close(); err != nil {
		u.conduit.log.Debug("cannot close a temporary file", "path", u.temp, "error", err)
	}
	if err := u.ch.remove(context.Background(), u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.conduit.leftovers.add(u.temp, u.dir())
		return
	}
	u.conduit.dirs.leave(u.dir())
}

// close closes the file, once.
func (u *upload) close() error {
	first := u.lanes[0]
	if !first.opened {
		return nil
	}
	first.opened = false
	return u.ch.closeHandle(first.handle, u.temp)
}

func (u *upload) free() {
	if u.buffer != nil {
		u.conduit.recycle(u.buffer)
		u.buffer, u.filled = nil, 0
	}
}
