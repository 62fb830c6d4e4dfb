// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"strings"

	"github.com/ftpgw/ftpgw/gateway"
)

// meets reports what the server does not offer of what is required, from what it said when the channel was opened.
func (ch *channel) meets(r gateway.Requirements) error {
	var missing []string
	if r.Fsync && !ch.has(extFsync) {
		missing = append(missing, extFsync)
	}
	if r.Atomic && !ch.has(extPosixRename) {
		missing = append(missing, extPosixRename)
	}
	if len(missing) == 0 {
		return nil
	}
	return unmet("the server does not offer " + strings.Join(missing, " and "))
}

// unmet is the error of a requirement that the server cannot fulfil.
func unmet(why string) error { return &transient{fmt.Errorf("%w: %s", gateway.ErrUnmet, why)} }

// checkTarget finds what is wrong with the demands of a Target before anything is opened for it.
func checkTarget(t gateway.Target) error {
	switch t.Verify {
	case "", gateway.VerifySize:
	case gateway.VerifyReadback, gateway.VerifyExtension:
		if t.Digest == nil {
			return fmt.Errorf("verify by %s: nothing is given to compare with", t.Verify)
		}
	default:
		return fmt.Errorf("verify by %q: unknown", t.Verify)
	}
	return nil
}

// verify compares the contents of the hidden file, all of which is there and closed, with what was sent. It returns how: a server
// that cannot compute digests is read back from, so what was asked for is never done by less.
func (u *upload) verify(ctx context.Context, pace func(n int) error) (gateway.Verification, error) {
	how := u.target.Verify
	var sum []byte
	var err error
	if how == gateway.VerifyExtension {
		if sum, err = u.askDigest(ctx); errors.Is(err, errNoCheckFile) {
			u.conduit.log.Debug("the server computes no digest, so the file is read back", "path", u.final, "reason", err)
			how = gateway.VerifyReadback
		}
	}
	switch how {
	case gateway.VerifyExtension:
	case gateway.VerifyReadback:
		sum, err = u.readBack(ctx, pace)
	default:
		return gateway.VerifySize, nil // store has done it
	}
	if err != nil {
		return "", fmt.Errorf("verify by %s: %w", how, err)
	}
	if sent := u.target.Digest(); !bytes.Equal(sum, sent) {
		return "", &transient{fmt.Errorf("%w: its SHA-256 is %x by %s, that of what was sent is %x", gateway.ErrCorrupted, sum, how, sent)}
	}
	return how, nil
}

// askDigest is the SHA-256 of the hidden file as the server computes it. Servers refuse to for an empty file.
func (u *upload) askDigest(ctx context.Context) ([]byte, error) {
	if u.size == 0 {
		return nil, fmt.Errorf("%w of nothing", errNoCheckFile)
	}
	return u.ch.link.checkFile(ctx, u.ch, u.temp, u.size)
}

// readBack is the SHA-256 of the hidden file as the server gives it back, no faster than the pace says.
func (u *upload) readBack(ctx context.Context, pace func(n int) error) ([]byte, error) {
	d := &download{conduit: u.conduit, ch: u.ch, name: u.temp, info: u.stored}
	handle, err := u.ch.openFile(ctx, u.temp)
	if err != nil {
		return nil, retryable(fmt.Errorf("open: %w", err))
	}
	d.ahead = newReadAhead(d, u.size)
	d.ahead.pace = pace
	d.ahead.lanes[0].handle, d.ahead.lanes[0].opened = handle, true
	digest := sha256.New()
	_, err = d.WriteTo(&untilDone{ctx, digest})
	if closeErr := u.ch.closeHandle(handle, u.temp); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", retryable(closeErr))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &transient{err} // somebody else has removed the hidden file; the next one may live
	}
	return digest.Sum(nil), err
}

// untilDone is a digest that takes nothing more when ctx has ended: to read a large file back for a device that has gone is of no use.
type untilDone struct {
	ctx context.Context
	hash.Hash
}

func (u *untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Hash.Write(p)
}
