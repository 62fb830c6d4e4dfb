// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// errUnknown says that a rename may or may not have happened.
var errUnknown = errors.New("the connection was lost during the rename, and whether the file was published is unknown")

// Commit makes the file durable and publishes it. ctx and the terms are looked at until just before the rename, which is not
// interrupted.
func (u *upload) Commit(ctx context.Context, t gateway.Terms) (gateway.Receipt, error) {
	if u.settled {
		return gateway.Receipt{}, u.conduit.fault("upload", u.final, fmt.Errorf("commit: %w", fs.ErrClosed))
	}
	defer u.conduit.pool.release(u.ch)
	receipt, err := u.store(ctx, t.Pace)
	var against error // what the terms hold against the file
	if err == nil {
		receipt.Atomic, err = u.publish(ctx, func() error { against = t.Hold(); return against })
	}
	if aside := t.AsideFor(against); aside != "" {
		u.final, u.target.Base = path.Join(path.Dir(u.final), aside), nil
		receipt.Path = u.final
		receipt.Atomic, err = u.publish(context.WithoutCancel(ctx), func() error { return nil })
	}
	u.conclude(err)
	switch {
	case err == nil && against == nil:
		return receipt, nil
	case err == nil:
		return receipt, u.conduit.fault("upload", u.final, against)
	default:
		return gateway.Receipt{}, u.conduit.fault("upload", u.final, errors.Join(against, err))
	}
}

// conclude ends the upload after an attempt to publish it.
func (u *upload) conclude(err error) {
	switch {
	case err == nil:
		u.conduit.dirs.leave(u.dir())
	case !errors.Is(err, errUnknown):
		u.abort()
	}
	u.conduit.active.remove(u.temp)
	u.settled = true
}

// publish gives the file its final name if hold, which is asked at the last moment, too, says nothing against it. The lock keeps two
// uploads of this program to one name from passing the comparison with their Base at the same time.
func (u *upload) publish(ctx context.Context, hold func() error) (atomic bool, err error) {
	// It may take a moment, which others that wait for the lock need not share.
	if err := hold(); err != nil {
		return false, err
	}
	unlock, err := u.conduit.locks.Lock(ctx, u.final)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := u.conduit.settleEarlier(ctx, u.ch, u.final); err != nil {
		return false, err
	}
	if u.target.Base != nil {
		if err := u.compare(ctx); err != nil {
			return false, err
		}
	}
	if err := hold(); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return u.rename(context.WithoutCancel(ctx))
}

// settleEarlier sees to it that no earlier upload to the same name, of whose rename nobody knows the end, replaces what is about to come
// there: a request can be on its way for long after its connection was given up.
func (c *Conduit) settleEarlier(ctx context.Context, ch *channel, final string) error {
	for _, temp := range c.leftovers.before(final) {
		if err := ch.remove(ctx, temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &transient{fmt.Errorf("an earlier upload may still come to this name: %w", err)}
		}
		c.dirs.leave(c.leftovers.done(temp))
	}
	return nil
}

// rename renames, and finds out what has come of it where the answer does not say.
func (u *upload) rename(ctx context.Context) (atomic bool, err error) {
	atomic = u.ch.has(extPosixRename)
	if atomic {
		err = u.closeAndRename(ctx)
		if isUnsupported(err) { // offered and then not done
			if u.target.Require.Atomic {
				return false, unmet(extPosixRename + " is offered, but not supported")
			}
			atomic = false
		}
	}
	if !atomic {
		err = u.ch.rename(ctx, u.temp, u.final)
	}
	switch {
	case err == nil:
		return atomic, nil
	case isTransient(err):
		return atomic, u.findOut(ctx, err)
	default:
		if happened, lookErr := u.happened(ctx, u.ch); lookErr == nil && happened {
			u.conduit.log.Warn("the server says that a rename has failed, but it has happened", "path", u.final, "error", err)
			return atomic, nil
		}
		return false, u.explain(ctx, atomic, err)
	}
}

// closeAndRename closes the file, where that has not been done, and renames it in the same flight. The file has been flushed and its
// size compared before: what closing it could still bring to light is no reason to doubt what it holds.
func (u *upload) closeAndRename(ctx context.Context) error {
	first := u.lanes[0]
	if !first.opened {
		return u.ch.posixRename(ctx, u.temp, u.final)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var closing, renaming *sent
	var err error
	u.ch.together("rename", u.final, func() {
		if closing, err = u.ch.send("close", u.temp, func() *wire.Call { return u.ch.client.CloseHandle(first.handle) }); err == nil {
			renaming, err = u.ch.send("rename", u.final, func() *wire.Call { return u.ch.client.PosixRename(u.temp, u.final) })
		}
	})
	first.opened = closing == nil
	if renaming == nil {
		return err
	}
	err = renaming.status(false)
	if cerr := closing.status(false); cerr != nil && err == nil {
		u.conduit.log.Warn("the server could not close a file that it has flushed", "path", u.final, "error", cerr)
	}
	return err
}

// compare refuses when the file is not the one from which this upload was continued. The protocol's times are whole seconds.
func (u *upload) compare(ctx context.Context) error {
	info, err := u.ch.lstat(ctx, u.final)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	switch {
	case exists != u.target.Base.Exists:
	case !exists:
		return nil
	case info.Mode().IsRegular() && info.Size() == u.target.Base.Size && info.ModTime().Unix() == u.target.Base.ModTime.Unix():
		return nil
	}
	return gateway.ErrChanged
}

// explain finds the reason for a refused rename in what stands under the final name.
func (u *upload) explain(ctx context.Context, atomic bool, err error) error {
	if !isFailure(err) {
		return fmt.Errorf("rename: %w", err)
	}
	if info, lookErr := u.ch.lstat(ctx, u.final); lookErr == nil {
		if cause := replaceable(info); cause != nil {
			return fmt.Errorf("rename: %w", cause)
		}
		if !atomic {
			return fmt.Errorf("%w: the server lacks %s, so that the file cannot be replaced without a moment in which it is gone",
				fs.ErrExist, extPosixRename)
		}
	}
	return u.storing("rename", err)
}

// findOut settles a rename whose answer was lost, on another connection. Whoever removes the temporary file knows that the rename
// has not happened and can no longer happen, even if the server still has it in a queue; where the file is gone, it has.
func (u *upload) findOut(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, u.conduit.cfg.RequestTimeout)
	defer cancel()
	for ctx.Err() == nil {
		ch, err := u.conduit.pool.acquire(ctx)
		if err != nil {
			return u.unknown(cause)
		}
		happened, err := u.happened(ctx, ch)
		u.conduit.pool.release(ch)
		switch {
		case isTransient(err): // this connection has gone, too
		case err != nil:
			return u.unknown(cause)
		case happened:
			u.conduit.log.Info("the answer to a rename was lost, but it has happened", "path", u.final)
			return nil
		default:
			return cause
		}
	}
	return u.unknown(cause)
}

// happened reports whether the rename has happened. Afterwards it cannot happen any more. A transient error has changed nothing.
func (u *upload) happened(ctx context.Context, ch *channel) (bool, error) {
	_, err := ch.lstat(ctx, u.temp)
	if err == nil {
		if err = ch.remove(ctx, u.temp); err == nil {
			return false, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, errUnknown // if the answer to this is lost, a missing file no longer proves anything
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	info, err := ch.lstat(ctx, u.final)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() != u.stored.Size() || !info.ModTime().Equal(u.stored.ModTime()) {
		return false, errUnknown // somebody else has removed the one or replaced the other
	}
	return true, nil
}

func (u *upload) unknown(cause error) error {
	u.conduit.leftovers.addRename(u.temp, u.dir(), u.final)
	return &transient{fmt.Errorf("%w: %w", errUnknown, cause)}
}
