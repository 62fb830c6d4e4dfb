// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	"github.com/ftpgw/ftpgw/quota"
	"github.com/ftpgw/ftpgw/spool"
)

// MaxSlowed is how many deliveries that wait for the bandwidth of a rule can be under way on one conduit. Each has a file open in the
// spool, and another one across the conduit.
const MaxSlowed = 64

// turn is the right to deliver an entry now. It begins with one of the conduit's slots. A delivery that has to wait for the bandwidth of
// its rule gives that back and goes on without: it takes days if need be, and moves no more than its bandwidth says. What bounds those
// deliveries is their own: MaxSlowed in all, and as many of one device under one rule as there are workers.
type turn struct {
	*route
	gate  *gate
	pace  *quota.Limiter // nil: nothing slows it
	probe probe          // not 0: it is to find out whether the conduit works, as long as the breaker says so
	slot  bool           // it has one of the conduit's
	end   []func()
}

// enter waits until the conduit is thought to work and there is room. It is nil when ctx has ended.
func (f *Forwarder) enter(ctx context.Context, r *route, e spool.Entry) *turn {
	t := &turn{route: r, gate: &f.g.gate, pace: f.g.pace(e)}
	if !t.queue(ctx, e) {
		t.leave()
		return nil
	}
	return t
}

func (t *turn) queue(ctx context.Context, e spool.Entry) bool {
	if t.pace != nil { // first, so that nobody waits for it with a slot
		unlock, err := t.paced.Lock(ctx, e.Rule+"\x00"+e.Device)
		if err != nil {
			return false
		}
		t.end = append(t.end, unlock)
		if !take(ctx, t.slowed) {
			return false
		}
		t.end = append(t.end, func() { <-t.slowed })
	}
	if t.slot = take(ctx, t.slots); !t.slot {
		return false
	}
	var err error
	t.probe, err = t.breaker.enter(ctx)
	return err == nil
}

// take takes a slot; it is false when ctx has ended.
func take(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// yield makes way for others: what comes takes as long as the bandwidth says. Where the conduit is being tried, another file goes on with
// that.
func (t *turn) yield() {
	if t.slot {
		t.slot = false
		<-t.slots
	}
	t.undecided()
}

// undecided says that this turn does not tell whether the conduit works.
func (t *turn) undecided() { t.breaker.undecided(t.probe) }

// wait lets n bytes pass when the bandwidth does. However many they are, nobody waits for them with a slot.
func (t *turn) wait(ctx context.Context, n int) error {
	return pass(ctx, t.gate, t.pace, n, t.yield)
}

// leave ends the turn.
func (t *turn) leave() {
	if t.slot {
		<-t.slots
	}
	for _, end := range t.end {
		end()
	}
}
