// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// errSuspended is why there is no connection while the conduit is suspended.
var errSuspended = errors.New("the conduit is suspended")

// Suspend closes all connections; none is made until Resume. What is under way fails, as it does when a connection is lost, and so
// does what is asked for meanwhile. It returns when the last connection is closed and no attempt to make one is left, or when ctx
// ends, with its error: no connection is made even then. It may be called before Run.
func (c *Conduit) Suspend(ctx context.Context) error {
	if err := c.pool.suspend(ctx); err != nil {
		return fmt.Errorf("conduit %s: wait for the end of its connections: %w", c.cfg.Name, err)
	}
	return nil
}

// Resume has connections made again.
func (c *Conduit) Resume() { c.pool.resume() }

// Connections is the number of connections that stand, and what is wrong: why there is none (nil before the first attempt has ended),
// or that the root could not be used when the newest was made.
func (c *Conduit) Connections() (n int, err error) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if n = len(c.pool.links); n > 0 && c.pool.lastErr == nil {
		return n, c.pool.links[n-1].rootErr
	}
	return n, c.pool.lastErr
}

func (p *pool) suspend(ctx context.Context) error {
	p.mu.Lock()
	if !p.suspended {
		p.suspended, p.lastErr = true, errSuspended
		p.hold()
	}
	links := slices.Clone(p.links)
	if len(links) == 0 {
		p.states.put(false, errSuspended)
	}
	p.wakeLocked()
	p.mu.Unlock()
	for _, l := range links {
		l.fail(errSuspended)
	}
	for {
		p.mu.Lock()
		busy, changed := p.busy, p.changed
		p.mu.Unlock()
		if busy == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *pool) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.suspended {
		return
	}
	p.suspended, p.lastErr = false, nil
	p.held, p.hold = context.WithCancel(context.Background())
	close(p.kicked)
	p.kicked = make(chan struct{})
	p.wakeLocked()
}

// begin waits until connections may be made and returns the context for one, which ends when the pool is suspended; end must be
// called when the connection is closed. Without an end ctx has ended.
func (p *pool) begin(ctx context.Context) (on context.Context, end func()) {
	for {
		p.mu.Lock()
		if !p.suspended {
			p.busy++
			on, cancel := context.WithCancelCause(ctx)
			stop := context.AfterFunc(p.held, func() { cancel(errSuspended) })
			p.mu.Unlock()
			return on, func() {
				stop()
				cancel(nil)
				p.mu.Lock()
				p.busy--
				p.wakeLocked()
				p.mu.Unlock()
			}
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil
		}
	}
}
