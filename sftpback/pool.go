// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// maxChannels per link: sshd's MaxSessions is 10 by default, for each connection (sshd_config(5)), and a question about a digest takes
	// another one. They are opened as they are needed: a server works on one request of a channel after another, so that whoever waits for
	// the disk holds up those behind him.
	maxChannels = 8
	// maxWait bounds how long a caller waits for an attempt to connect that is under way.
	maxWait = 3 * time.Second
	// kickEvery bounds how often callers can cut a pause between two attempts short.
	kickEvery = 250 * time.Millisecond
	// steady is how long a link must have lived for its loss not to count as a failed attempt.
	steady     = time.Second
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

var (
	errStopped  = errors.New("the conduit has been stopped")
	errNotReady = errors.New("not connected yet")
)

// pool keeps links open and hands out their channels.
type pool struct {
	dialer *dialer
	size   int
	log    *slog.Logger
	states *stateQueue

	mu       sync.Mutex
	links    []*link
	lostAt   time.Time     // when the last of the links was lost
	lastErr  error         // of the last attempt, when there is no link and an attempt has failed since there was one
	changed  chan struct{} // closed and replaced whenever links or lastErr change
	kicked   chan struct{} // closed and replaced to end the pauses between attempts
	lastKick time.Time
	logged   string // the last failure that was logged
	stopped  bool

	suspended bool
	held      context.Context // ends when the pool is suspended
	hold      context.CancelFunc
	busy      int // connections that stand or are being made

	first    chan struct{} // closed when the first attempt has ended
	firstErr error         // valid then
}

func newPool(d *dialer, cfg Config) *pool {
	held, hold := context.WithCancel(context.Background())
	return &pool{
		held: held, hold: hold, dialer: d, size: cfg.Connections, log: cfg.Logger, states: newStateQueue(cfg.OnState),
		changed: make(chan struct{}), kicked: make(chan struct{}), first: make(chan struct{}),
	}
}

// run keeps the links up until ctx ends.
func (p *pool) run(ctx context.Context) {
	var notifier, keepers sync.WaitGroup
	notifier.Go(p.states.run)
	keepers.Go(func() { p.keep(ctx) })
	select {
	case <-p.first: // one attempt is enough to find out that the server is down
	case <-ctx.Done():
	}
	for range p.size - 1 {
		keepers.Go(func() { p.keep(ctx) })
	}
	keepers.Wait()
	p.mu.Lock()
	p.stopped, p.lastErr = true, errStopped
	p.wakeLocked()
	p.mu.Unlock()
	p.states.close()
	notifier.Wait()
}

// keep keeps one link up.
func (p *pool) keep(ctx context.Context) {
	pause := minBackoff
	for ctx.Err() == nil {
		on, end := p.begin(ctx)
		if end == nil {
			return
		}
		lived := p.keepOnce(on)
		end()
		if lived >= steady {
			pause = minBackoff
			continue
		}
		p.pause(ctx, pause)
		pause = min(2*pause, maxBackoff)
	}
}

// keepOnce makes one link and returns, when it is lost or ctx ends, how long it has lived.
func (p *pool) keepOnce(ctx context.Context) time.Duration {
	begun := time.Now()
	l, err := p.dialer.dial(ctx)
	if err != nil {
		p.failed(ctx, begun, err)
		return 0
	}
	begun = time.Now()
	if p.add(l) {
		select {
		case <-l.done:
		case <-ctx.Done():
			l.fail(p.ending(ctx))
		}
		p.remove(l)
	} else {
		l.fail(errSuspended)
	}
	l.wait()
	return time.Since(begun)
}

// ending is why ctx has ended.
func (p *pool) ending(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errSuspended) {
		return errSuspended
	}
	return errStopped
}

// pause waits for d, half of it by chance so that several gateways do not come back all at once, or until somebody needs a link.
func (p *pool) pause(ctx context.Context, d time.Duration) {
	p.mu.Lock()
	kicked := p.kicked
	p.mu.Unlock()
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-kicked:
	case <-ctx.Done():
	}
}

func (p *pool) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pool) endFirstLocked(err error) {
	select {
	case <-p.first:
	default:
		p.firstErr = err
		close(p.first)
	}
}

// add takes a link into use, unless the pool has been suspended since it was dialled.
func (p *pool) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.suspended {
		return false
	}
	p.links = append(p.links, l)
	p.lastErr, p.logged = nil, ""
	p.endFirstLocked(nil)
	if len(p.links) == 1 {
		p.states.put(true, nil)
		p.log.Info("conduit is up", "address", p.dialer.cfg.Address, "server", string(l.client.ServerVersion()))
	}
	p.wakeLocked()
	return true
}

func (p *pool) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links = slices.DeleteFunc(p.links, func(o *link) bool { return o == l })
	if errors.Is(l.cause, errStopped) || errors.Is(l.cause, errSuspended) {
		p.log.Debug("connection closed")
	} else {
		p.log.Warn("connection lost", "error", l.cause, "connections", len(p.links))
	}
	if len(p.links) == 0 {
		p.lostAt = time.Now()
		p.states.put(false, l.cause)
	}
	p.wakeLocked()
}

// failed notes a failed attempt. One that was begun before the last link was lost says nothing about what comes after. A failure is logged when it is another one than before, not at every attempt.
func (p *pool) failed(ctx context.Context, begun time.Time, err error) {
	if ctx.Err() != nil {
		err = p.ending(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.suspended {
		err = errSuspended
	}
	if len(p.links) == 0 && begun.After(p.lostAt) {
		if p.lastErr == nil {
			p.states.put(false, err)
		}
		p.lastErr = err
	}
	p.endFirstLocked(err)
	level, kind := gravity(err)
	if ctx.Err() == nil && kind != p.logged {
		p.logged = kind
		p.log.Log(ctx, level, "cannot connect", "address", p.dialer.cfg.Address, "error", err)
	}
	p.wakeLocked()
}

// kick asks for an attempt now.
func (p *pool) kickLocked() {
	if now := time.Now(); now.Sub(p.lastKick) >= kickEvery {
		p.lastKick = now
		close(p.kicked)
		p.kicked = make(chan struct{})
	}
}

// waitFirst returns the outcome of the first attempt.
func (p *pool) waitFirst(ctx context.Context) error {
	select {
	case <-p.first:
	case <-ctx.Done():
		return fmt.Errorf("wait for the connection: %w", ctx.Err())
	}
	if p.firstErr != nil {
		return &transient{p.firstErr}
	}
	return nil
}

// available returns when there is a link, or an error that says why there is none.
func (p *pool) available(ctx context.Context) error {
	return p.await(ctx, p.upLocked)
}

// isUp reports whether there is a link, without waiting and without asking for one.
func (p *pool) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upLocked()
}

func (p *pool) upLocked() bool {
	return slices.ContainsFunc(p.links, func(l *link) bool { return l.failure() == nil })
}

// acquire takes the least busy channel. The caller must release it.
func (p *pool) acquire(ctx context.Context) (*channel, error) {
	var got *channel
	err := p.await(ctx, func() bool {
		got = p.pickLocked()
		return got != nil
	})
	return got, err
}

// await calls try, with the lock held, until it succeeds or there is nothing to wait for.
func (p *pool) await(ctx context.Context, try func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errNotReady)
	defer cancel()
	for {
		p.mu.Lock()
		if try() {
			p.mu.Unlock()
			return nil
		}
		changed, lastErr := p.changed, p.lastErr
		p.kickLocked()
		p.mu.Unlock()
		if lastErr != nil {
			return &transient{fmt.Errorf("no connection: %w", lastErr)}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &transient{fmt.Errorf("no connection: %w", context.Cause(ctx))}
		}
	}
}

// pickLocked takes the least busy channel, if there is one, and sees to it that there is an idle one for whoever comes next.
func (p *pool) pickLocked() *channel {
	var best *channel
	idle := 0
	var roomy *link // where another channel can be opened
	for _, l := range p.links {
		if l.failure() != nil {
			continue // its keeper has not noticed yet
		}
		working := l.working()
		if len(working) == 0 && l.full {
			l.fail(errors.New("all channels were given up, and no other can be opened"))
			continue
		}
		for _, ch := range working {
			if ch.busy == 0 {
				idle++
			}
			if best == nil || ch.busy < best.busy {
				best = ch
			}
		}
		if len(working) < maxChannels && !l.opening && !l.full && (roomy == nil || len(working) < len(roomy.working())) {
			roomy = l
		}
	}
	if best != nil {
		if best.busy == 0 {
			idle--
		}
		best.busy++
	}
	if idle == 0 && roomy != nil {
		roomy.opening = roomy.goes(func() { p.widen(roomy) })
	}
	return best
}

// spare takes a channel that nobody uses, for a transfer that has one already and could use more. Where there is none it returns nil,
// and one more is opened, for later, where that is possible.
func (p *pool) spare() *channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	var roomy *link
	for _, l := range p.links {
		if l.failure() != nil {
			continue
		}
		working := l.working()
		for _, ch := range working {
			if ch.busy == 0 {
				ch.busy++
				return ch
			}
		}
		if len(working) < maxChannels && !l.opening && !l.full {
			roomy = l
		}
	}
	if roomy != nil {
		roomy.opening = roomy.goes(func() { p.widen(roomy) })
	}
	return nil
}

func (p *pool) release(ch *channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch.busy--
}

// widen opens another channel on l. A server that refuses is not asked again on this link.
func (p *pool) widen(l *link) {
	watch := newWatch(l.cfg.DialTimeout, func() (time.Duration, bool) {
		l.fail(fmt.Errorf("no answer to the opening of a channel within %v", l.cfg.DialTimeout))
		return 0, false
	})
	_, err := l.open()
	watch.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	l.opening = false
	if err != nil {
		l.full = true
		p.log.Debug("no further channel", "error", err)
	}
	p.wakeLocked()
}
