// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// meteredReader is the device's end of an upload: what passes is counted and hashed, and it ends when the transfer is interrupted
// or becomes larger than any rule allows.
type meteredReader struct {
	ctx      context.Context
	src      io.Reader
	in       *Incoming
	taken    int64
	counting bool // false for the first bytes, which are counted behind those that are kept
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if err := interrupted(m.ctx); err != nil {
		return 0, err
	}
	if err := m.in.g.windowOpen(m.in.policy, m.in.decision); err != nil {
		return 0, err
	}
	p = p[:min(len(p), m.in.grant.Pace().Piece())]
	n, err := m.src.Read(p)
	m.taken += int64(n)
	if max := m.in.decision.MaxSize; max > 0 && m.in.keep+m.taken > max {
		return 0, fmt.Errorf("more than %d bytes: %w", max, m.in.tooLarge(m.in.keep+m.taken))
	}
	if err := m.in.expectAtMost(m.in.keep + m.taken); err != nil {
		return 0, err
	}
	if err := m.in.limit(m.ctx, n); err != nil {
		return 0, err
	}
	if m.counting {
		m.in.count(p[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := interrupted(m.ctx); cause != nil {
			err = cause // the connection was closed because the transfer was interrupted, not the other way round
		}
	}
	return n, err
}

// errKept ends the reading of a base of which no more bytes are kept.
var errKept = errors.New("all kept bytes are carried over")

// keeper carries the first bytes of a base over into the new file.
type keeper struct {
	in   *Incoming
	left int64
	// whole has the base read to its end, where it is found out whether it is what was accepted.
	whole bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.left == 0 && !k.whole {
		return 0, errKept
	}
	kept := p[:min(int64(len(p)), k.left)]
	n, err := k.in.upload.Write(kept)
	k.in.count(kept[:n])
	k.left -= int64(n)
	switch {
	case err != nil:
		return n, err
	case k.left == 0 && len(kept) < len(p) && !k.whole:
		return n, errKept
	}
	return len(p), nil
}
