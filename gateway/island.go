// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"sync"

	"github.com/ftpgw/ftpgw/policy"
)

// ErrIsland says that nothing crosses any conduit, in either direction, because an operator wants it so. It is Temporary: a device
// should keep its file.
var ErrIsland error = islandError{}

type islandError struct{}

func (islandError) Error() string   { return "the gateway is an island: nothing crosses" }
func (islandError) Temporary() bool { return true }

// Isolate makes the gateway an island: from its return on no operation on a conduit begins, no byte of one that is under way is passed
// on, and no upload comes to its final name, but for one whose rename had been sent before; AwaitStill waits for that.
func (g *Gateway) Isolate() { g.gate.shut(true) }

// Reconnect ends the island.
func (g *Gateway) Reconnect() { g.gate.shut(false) }

// Isolated reports whether the gateway is an island.
func (g *Gateway) Isolated() bool { return g.gate.check() != nil }

// AwaitCalm returns when no transfer over a conduit is open any more, those that were broken off included, or when ctx ends, with
// its error. A transfer whose device says nothing may stay open until it is given up; nothing of it crosses all the same.
func (g *Gateway) AwaitCalm(ctx context.Context) error {
	return g.gate.await(ctx, func() bool { return g.gate.inside == 0 && g.gate.open == 0 })
}

// AwaitStill returns when no operation on a conduit is under way any more, or when ctx ends, with its error.
func (g *Gateway) AwaitStill(ctx context.Context) error {
	return g.gate.await(ctx, func() bool { return g.gate.inside == 0 })
}

// Crosses reports whether the upload goes to a conduit now, and not into the spool.
func (in *Incoming) Crosses() bool { return in.decision.Deliver.Acknowledge != policy.Spooled }

// Crosses reports whether the download comes from a conduit now, and not from the spool.
func (out *Outgoing) Crosses() bool {
	_, crosses := out.download.(*gatedDownload)
	return crosses
}

// gate is what everything that goes to a conduit passes through. The zero gate is open.
type gate struct {
	mu      sync.Mutex
	closed  bool
	inside  int           // operations that are under way
	open    int           // transfers that have been opened and not ended
	changed chan struct{} // closed and replaced when one of them has ended; nil while nobody waits
}

func (g *gate) shut(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
}

// check is ErrIsland while the gate is shut.
func (g *gate) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrIsland
	}
	return nil
}

// enter begins an operation, which leave ends. What is inside when the gate is shut is waited for: so there is no moment between the
// last check and what was checked in which an island could be declared complete.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrIsland
	}
	g.inside++
	return nil
}

// force is enter for what ends something: that is never refused.
func (g *gate) force() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

func (g *gate) leave() { g.update(func() { g.inside-- }) }

func (g *gate) opened() { g.update(func() { g.open++ }) }

func (g *gate) ended() { g.update(func() { g.open-- }) }

func (g *gate) update(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

func (g *gate) await(ctx context.Context, over func() bool) error {
	for {
		g.mu.Lock()
		if over() {
			g.mu.Unlock()
			return nil
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait until nothing crosses: %w", context.Cause(ctx))
		}
	}
}
