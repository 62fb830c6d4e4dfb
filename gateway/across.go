// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
	"github.com/ftpgw/ftpgw/spool"
)

// What crosses a conduit under a rule with a bandwidth does so at that: what is sent, and what is read back of it to be compared. A line
// that the operator shares with others does not know the difference.

// pace is what slows the delivery of an entry: the rule's bandwidth of the policy in force, together with all transfers under it; nil
// slows nothing. The device's own has slowed it on its way in.
func (g *Gateway) pace(e spool.Entry) *quota.Limiter {
	b, ok := g.policy.Load().BoundOf(e.Rule, e.Device)
	if !ok || b.Bandwidth == 0 || g.quota == nil {
		return nil
	}
	return g.quota.Limiter(b)
}

// paceBack is what slows the reading back of an upload that goes straight across: the rule's bandwidth alone, since nothing of that goes
// to the device. The waiting ends with ctx. It is nil where nothing is slowed.
func (in *Incoming) paceBack(ctx context.Context) func(n int) error {
	bounds := slices.DeleteFunc(in.decision.Bounds(in.session.Device), func(b policy.Bound) bool { return b.Rule == "" || b.Bandwidth == 0 })
	if len(bounds) == 0 || in.g.quota == nil {
		return nil
	}
	pace := in.g.quota.Limiter(bounds...)
	return func(n int) error { return pass(ctx, &in.g.gate, pace, n, func() {}) }
}

// pass lets n bytes cross when the bandwidth does, and calls yield before it waits for that. They come to no more than a piece when
// nothing is to cross any more.
func pass(ctx context.Context, gate *gate, pace *quota.Limiter, n int, yield func()) error {
	for n > 0 {
		if err := gate.check(); err != nil {
			return err
		}
		piece := min(n, pace.Piece())
		if !pace.Passes(piece) {
			yield()
		}
		if err := pace.Wait(ctx, piece); err != nil {
			return told(ctx, fmt.Errorf("wait for the bandwidth: %w", err))
		}
		n -= piece
	}
	return nil
}

// asidePatience is how long what is to be kept of an incomplete file may still wait for its bandwidth when its device has gone. It is less
// than a service manager gives a gateway that ends.
const asidePatience = 20 * time.Second

// outlive is a context for what is to be kept aside although ctx ends: it ends a while after ctx where that has ended for want of
// evidence, and with it for any other reason. end frees it.
func outlive(ctx context.Context) (late context.Context, end func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		cause := interrupted(ctx)
		if failedEvidence(cause) == "" {
			cancel(cause)
			return
		}
		timer := time.AfterFunc(asidePatience, func() { cancel(fmt.Errorf("%w; its bandwidth left no time to keep what had come", cause)) })
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() {
		stop()
		cancel(nil)
	}
}

// countedReader is a file of the spool on its way across.
type countedReader struct {
	ctx  context.Context
	src  io.Reader
	hash hash.Hash
	size int64
	turn *turn
}

func (c *countedReader) Read(p []byte) (int, error) {
	if err := interrupted(c.ctx); err != nil {
		return 0, err
	}
	n, err := c.src.Read(p[:min(len(p), c.turn.pace.Piece())])
	c.hash.Write(p[:n])
	c.size += int64(n)
	if err := c.turn.wait(c.ctx, n); err != nil {
		return n, err
	}
	return n, err
}

// pacedWriter takes what is read from across.
type pacedWriter struct {
	ctx  context.Context
	dst  io.Writer
	turn *turn
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	if err := interrupted(w.ctx); err != nil {
		return 0, err
	}
	if err := w.turn.wait(w.ctx, len(p)); err != nil {
		return 0, err
	}
	return w.dst.Write(p)
}
