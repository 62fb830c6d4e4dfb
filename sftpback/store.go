// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// store sends what is left, and makes sure that the server has all of it: acknowledged, flushed, of the right size, and of the right
// content where that is asked for. What follows without a look at an answer goes in one flight, as far as the server is known to work on
// one request after another. Nothing is read back but at the pace, where there is one.
func (u *upload) store(ctx context.Context, pace func(n int) error) (gateway.Receipt, error) {
	last, inspected, err := u.conclusion(ctx)
	if err != nil {
		return gateway.Receipt{}, err
	}
	receipt := gateway.Receipt{Path: u.final}
	// An answer that is missing is that of the first that was sent.
	if err := last(); err != nil {
		return receipt, err
	}
	if receipt.Fsynced, err = u.flushed(inspected); err != nil {
		return receipt, err
	}
	if u.stored, err = seen(inspected); err != nil {
		return receipt, u.storing("fstat", err)
	}
	if !receipt.Fsynced {
		if err := u.closeOthers(); err != nil {
			return receipt, u.storing("close", err)
		}
	}
	u.narrow()
	receipt.Bytes = u.stored.Size()
	if receipt.Bytes != u.size {
		return receipt, &transient{fmt.Errorf("%w: it has %d bytes of the %d that it acknowledged", gateway.ErrCorrupted, receipt.Bytes, u.size)}
	}
	if err := u.restrict(u.stored); err != nil {
		return receipt, err
	}
	if u.closesLate(receipt) {
		receipt.Verified = gateway.VerifySize
		return receipt, nil
	}
	if err := u.close(); err != nil {
		return receipt, u.storing("close", err)
	}
	receipt.Verified, err = u.verify(ctx, pace)
	return receipt, err
}

// conclusion sends the last packet and what is asked about the file then.
func (u *upload) conclusion(ctx context.Context) (last func() error, inspected []inspection, err error) {
	send := func() {
		if last, err = u.finish(); err == nil && !u.ch.ordered() {
			err = last()
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			inspected, err = u.inspect()
		}
	}
	if u.ch.ordered() {
		u.ch.together("write", u.temp, send)
	} else {
		send()
	}
	return last, inspected, err
}

// closeOthers closes the file on all lanes but the first. Where it has not been flushed, that may be what brings to light that something
// could not be stored, and each lane is told of what was written on it.
func (u *upload) closeOthers() error {
	for _, l := range u.lanes[1:] {
		if !l.opened {
			continue
		}
		l.opened = false
		if err := l.ch.closeHandle(l.handle, u.temp); err != nil {
			return err
		}
	}
	return nil
}

// closesLate reports whether the file is closed in one flight with its rename: where it has been flushed, so that closing it changes
// nothing about what it holds, where the server does the one before the other, and where nothing is to be read back before.
func (u *upload) closesLate(r gateway.Receipt) bool {
	return r.Fsynced && u.ch.ordered() && u.ch.has(extPosixRename) && (u.target.Verify == "" || u.target.Verify == gateway.VerifySize)
}

// inspection is what is asked about a file on one lane, behind all that was written there.
type inspection struct{ flush, look *sent }

// inspect asks for the flush, where the server can do that, and for the attributes, on each lane: whatever a server makes of a file that
// is open more than once, what was written through a handle is flushed through it.
func (u *upload) inspect() (all []inspection, err error) {
	for _, l := range u.lanes {
		if !l.opened {
			continue
		}
		var i inspection
		if l.ch.has(extFsync) {
			if i.flush, err = l.ch.sendSlow("fsync", u.temp, func() *wire.Call { return l.ch.client.Fsync(l.handle) }); err != nil {
				return nil, err
			}
		}
		if i.look, err = l.look(u.temp); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// flushed waits until the file is on stable storage, as far as the server can do that. All answers count: that one channel cannot flush
// does not make good what another one could not.
func (u *upload) flushed(all []inspection) (fsynced bool, err error) {
	fsynced = true
	for _, i := range all {
		if i.flush == nil {
			fsynced = false // meets has let it pass
			continue
		}
		switch err := i.flush.status(true); {
		case err == nil:
		case isUnsupported(err) && u.target.Require.Fsync:
			return false, unmet(extFsync + " is offered, but not supported")
		case isUnsupported(err):
			fsynced = false
		default:
			return false, u.storing("fsync", err)
		}
	}
	return fsynced, u.storing("fsync", u.flusher.wait())
}

// seen is the file as the server describes it when all has been written. Each lane was asked behind its own last write, so that the one
// on which the last of all was written says the last: the file's greatest size and its latest time.
func seen(all []inspection) (fs.FileInfo, error) {
	var last described
	for _, i := range all {
		info, err := i.look.info()
		if err != nil {
			return nil, err
		}
		last.FileInfo = info
		last.size = max(last.size, info.Size())
		if info.ModTime().After(last.time) {
			last.time = info.ModTime()
		}
	}
	return last, nil
}

// described is a file of which several answers are known.
type described struct {
	fs.FileInfo
	size int64
	time time.Time
}

func (d described) Size() int64        { return d.size }
func (d described) ModTime() time.Time { return d.time }

// finish sends the last packet. last waits for all that was sent of the file, and can be asked again.
func (u *upload) finish() (last func() error, err error) {
	defer u.free()
	written := func() error {
		u.waitAll()
		return u.failed.get()
	}
	if u.filled == 0 {
		return written, u.failed.get()
	}
	s, err := u.send(u.lanes[0])
	if err != nil {
		return nil, err
	}
	answer := sync.OnceValue(func() error { return u.storing("write", s.status(false)) })
	return func() error {
		if err := written(); err != nil {
			return err
		}
		return answer()
	}, nil
}

// storing explains the error of a request that stores something: SSH_FX_FAILURE can be a full disk or a read-only one, and can pass
// in any case.
func (u *upload) storing(op string, err error) error {
	if err == nil {
		return nil
	}
	if isFailure(err) {
		err = u.ch.whyNotStored(context.Background(), path.Dir(u.final), u.ch.writeSize, err)
	}
	return fmt.Errorf("%s %s: %w", op, u.temp, retryable(err))
}

// whyNotStored looks for the reason why size more bytes, or another file, could not be stored below dir. OpenSSH answers both ENOSPC
// and EROFS with SSH_FX_FAILURE, so it has to be asked (statvfs@openssh.com). A quota cannot be asked for.
func (ch *channel) whyNotStored(ctx context.Context, dir string, size int, err error) error {
	if !ch.has(extStatVFS) {
		return err
	}
	vfs, lookErr := ch.statVFS(context.WithoutCancel(ctx), dir)
	if lookErr != nil {
		return err // then it stays a failure without a name
	}
	const readOnly = 1 // SSH_FXE_STATVFS_ST_RDONLY: OpenSSH's PROTOCOL, section 4.4
	switch {
	case vfs.Flags&readOnly != 0:
		return fmt.Errorf("%w: %w", syscall.EROFS, err)
	case vfs.Fragment > 0 && vfs.Available < (uint64(size)+vfs.Fragment-1)/vfs.Fragment, vfs.Files > 0 && vfs.FilesAvailable == 0:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}
