// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"fmt"
	"path"
	"syscall"

	"github.com/ftpgw/ftpgw/gateway"
)

// store sends what is left, and makes sure that the server has all of it: acknowledged, flushed, of the right size, closed, and of
// the right content where that is asked for.
func (u *upload) store(ctx context.Context) (gateway.Receipt, error) {
	if err := u.finish(); err != nil {
		return gateway.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return gateway.Receipt{}, err
	}
	receipt := gateway.Receipt{Path: u.final}
	var err error
	if receipt.Fsynced, err = u.flush(); err != nil {
		return gateway.Receipt{}, err
	}
	if u.stored, err = u.ch.fstat(ctx, u.file); err != nil {
		return gateway.Receipt{}, u.storing("fstat", err)
	}
	receipt.Bytes = u.stored.Size()
	if receipt.Bytes != u.size {
		return gateway.Receipt{}, &transient{fmt.Errorf("%w: it has %d bytes of the %d that it acknowledged", gateway.ErrCorrupted, receipt.Bytes, u.size)}
	}
	if err := u.ch.do("close", u.temp, u.file.Close); err != nil {
		return gateway.Receipt{}, u.storing("close", err)
	}
	receipt.Verified, err = u.verify(ctx)
	return receipt, err
}

// flush asks for the file to be put on stable storage, where the server can do that.
func (u *upload) flush() (fsynced bool, err error) {
	if !u.ch.has(extFsync) {
		return false, nil // meets has let it pass
	}
	err = u.ch.doSlow("fsync", u.temp, u.file.Sync)
	switch {
	case err == nil:
		return true, nil
	case isUnsupported(err) && u.target.Require.Fsync:
		return false, unmet(extFsync + " is offered, but not supported")
	case isUnsupported(err):
		return false, nil
	}
	return false, u.storing("fsync", err)
}

// finish sends the last packet and waits for all acknowledgements. A file of one packet is sent from here.
func (u *upload) finish() error {
	if u.filled > 0 {
		buffer, n, at := u.take()
		if err := u.write(buffer, n, at); err != nil {
			u.window.fail(err)
		}
	}
	u.free()
	return u.window.wait()
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
	case vfs.Flag&readOnly != 0:
		return fmt.Errorf("%w: %w", syscall.EROFS, err)
	case vfs.Frsize > 0 && vfs.Bavail < (uint64(size)+vfs.Frsize-1)/vfs.Frsize, vfs.Files > 0 && vfs.Favail == 0:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}
