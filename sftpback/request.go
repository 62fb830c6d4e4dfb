// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// The requests of the protocol, each watched. A ctx that has ended stops a request from being sent; one that was sent is waited
// for, since its answer would otherwise be taken for lost.

func ask[T any](ctx context.Context, ch *channel, op, remote string, f func() (T, error)) (T, error) {
	var got T
	if err := ctx.Err(); err != nil {
		return got, err
	}
	err := ch.do(op, remote, func() (err error) {
		got, err = f()
		return err
	})
	return got, err
}

func tell(ctx context.Context, ch *channel, op, remote string, f func() *wire.Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ch.do(op, remote, func() error { return f().Status() })
}

// sent is a request whose answer is waited for later, so that others can follow it in the same flight.
type sent struct {
	ch         *channel
	op, remote string
	call       *wire.Call
}

// send sends a request. That alone can take time, where the channel's window is used up; so it is watched, too.
func (ch *channel) send(op, remote string, f func() *wire.Call) (*sent, error) {
	s := &sent{ch: ch, op: op, remote: remote}
	err := ch.do(op, remote, func() error {
		s.call = f()
		return nil // what has become of it is in the call
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// sendSlow is send for a request on which the server may work for long. Until it is answered silence is expected on the channel, whoever
// waits for something there, and whether or not somebody still waits for the answer.
func (ch *channel) sendSlow(op, remote string, f func() *wire.Call) (*sent, error) {
	over := ch.watchdog.expectSilence()
	s, err := ch.send(op, remote, f)
	if err != nil || !ch.link.goes(func() { // the end of the link is an answer, too
		<-s.call.Done()
		over()
	}) {
		over()
	}
	return s, err
}

// together has all that f sends go out in one piece. f must not wait for an answer.
func (ch *channel) together(op, remote string, f func()) {
	defer ch.watchdog.end(ch.watchdog.begin(op, remote))
	ch.client.Hold()
	defer ch.client.Release() // what comes of it is in each call
	f()
}

// status waits for a request that is answered by a status, and for one on which the server may work for long if it is slow.
func (s *sent) status(slow bool) error {
	if slow {
		return s.ch.doSlow(s.op, s.remote, s.call.Status)
	}
	return s.ch.do(s.op, s.remote, s.call.Status)
}

// handle waits for an open file.
func (s *sent) handle() (h wire.Handle, err error) {
	err = s.ch.do(s.op, s.remote, func() (err error) {
		h, err = s.call.Handle()
		return err
	})
	return h, err
}

// info waits for attributes.
func (s *sent) info() (info fs.FileInfo, err error) {
	err = s.ch.do(s.op, s.remote, func() (err error) {
		info, err = s.call.Info()
		return err
	})
	return info, err
}

func (ch *channel) lstat(ctx context.Context, p string) (fs.FileInfo, error) {
	return ask(ctx, ch, "lstat", p, func() (fs.FileInfo, error) { return ch.client.Lstat(p).Info() })
}

func (ch *channel) stat(ctx context.Context, p string) (fs.FileInfo, error) {
	return ask(ctx, ch, "stat", p, func() (fs.FileInfo, error) { return ch.client.Stat(p).Info() })
}

func (ch *channel) realPath(ctx context.Context, p string) (string, error) {
	return ask(ctx, ch, "realpath", p, func() (string, error) { return ch.client.Realpath(p).Path() })
}

func (ch *channel) openFile(ctx context.Context, p string) (wire.Handle, error) {
	return ask(ctx, ch, "open", p, func() (wire.Handle, error) { return ch.client.Open(p, wire.FlagRead).Handle() })
}

// sendOpen has a file opened for reading.
func (ch *channel) sendOpen(p string) (*sent, error) {
	return ch.send("open", p, func() *wire.Call { return ch.client.Open(p, wire.FlagRead) })
}

func (ch *channel) statVFS(ctx context.Context, p string) (wire.FileSystem, error) {
	return ask(ctx, ch, "statvfs", p, func() (wire.FileSystem, error) { return ch.client.StatVFS(p).FileSystem() })
}

func (ch *channel) mkdir(ctx context.Context, p string) error {
	return tell(ctx, ch, "mkdir", p, func() *wire.Call { return ch.client.Mkdir(p) })
}

func (ch *channel) remove(ctx context.Context, p string) error {
	return tell(ctx, ch, "remove", p, func() *wire.Call { return ch.client.Remove(p) })
}

func (ch *channel) rmdir(ctx context.Context, p string) error {
	return tell(ctx, ch, "rmdir", p, func() *wire.Call { return ch.client.Rmdir(p) })
}

func (ch *channel) rename(ctx context.Context, from, to string) error {
	return tell(ctx, ch, "rename", to, func() *wire.Call { return ch.client.Rename(from, to) })
}

func (ch *channel) posixRename(ctx context.Context, from, to string) error {
	return tell(ctx, ch, "rename", to, func() *wire.Call { return ch.client.PosixRename(from, to) })
}

func (ch *channel) chmod(ctx context.Context, p string, mode fs.FileMode) error {
	return tell(ctx, ch, "chmod", p, func() *wire.Call { return ch.client.Chmod(p, mode) })
}

func (ch *channel) chtimes(ctx context.Context, p string, t time.Time) error {
	return tell(ctx, ch, "chtimes", p, func() *wire.Call { return ch.client.Chtimes(p, t) })
}

func (ch *channel) closeHandle(h wire.Handle, name string) error {
	return ch.do("close", name, func() error { return ch.client.CloseHandle(h).Status() })
}

// closeSoon has a file or directory closed that was only read from: nothing hangs on the answer.
func (ch *channel) closeSoon(h wire.Handle, name string) error {
	closing, err := ch.send("close", name, func() *wire.Call { return ch.client.CloseHandle(h) })
	if err != nil {
		return err
	}
	ch.link.goes(func() { // where the link has ended there is no answer to wait for
		if err := closing.status(false); err != nil {
			ch.link.cfg.Logger.Debug("cannot close what was read from", "path", name, "error", err)
		}
	})
	return nil
}

// pagesAhead is how many pages of a directory are asked for at once. What a server answers to those behind the end is the end again.
const pagesAhead = 4

// maxListing is what the entries of one directory may take here, in bytes, some half a million files: a server can go on for ever.
const maxListing = 64 << 20

var errEndless = fmt.Errorf("the directory has more entries than can be listed: %w", syscall.EFBIG)

// pageCost is about what a page takes in memory. One without entries, which no honest server sends, costs a thousandth of the whole.
func pageCost(page []fs.FileInfo) int {
	const each = 128 // a fs.FileInfo and the header of its name
	if len(page) == 0 {
		return maxListing / 1000
	}
	cost := 0
	for _, info := range page {
		cost += each + len(info.Name())
	}
	return cost
}

// eachPage calls f with the entries of a directory, as many at a time as the server sends. An error of f is returned as it is.
func (ch *channel) eachPage(ctx context.Context, p string, f func([]fs.FileInfo) error) (err error) {
	h, err := ask(ctx, ch, "opendir", p, func() (wire.Handle, error) { return ch.client.Opendir(p).Handle() })
	if err != nil {
		return err
	}
	defer func() {
		if cerr := ch.closeSoon(h, p); err == nil {
			err = cerr
		}
	}()
	var ahead []*wire.Call
	for cost := 0; ; {
		for len(ahead) < pagesAhead {
			s, err := ch.send("readdir", p, func() *wire.Call { return ch.client.Readdir(h) })
			if err != nil {
				return err
			}
			ahead = append(ahead, s.call)
		}
		var page []fs.FileInfo
		err := ch.do("readdir", p, func() (err error) {
			page, err = ahead[0].Names()
			return err
		})
		ahead = ahead[1:]
		switch {
		case err == io.EOF: // what is asked behind it is answered in the same way, and of no interest
			return nil
		case err != nil:
			return err
		case len(page) > 0:
			if err := f(page); err != nil {
				return err
			}
		}
		if cost += pageCost(page); cost > maxListing {
			return fmt.Errorf("list %s: %w", p, errEndless)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
