// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

// startPatience is how long the start waits for conduits to come up, so that the first device finds them; a conduit that is down
// keeps nobody from logging in.
const startPatience = 3 * time.Second

// ups remembers since when conduits have been up or down, and why they were down last. The zero ups knows of none.
type ups struct {
	mu   sync.Mutex
	last map[string]upDown
}

type upDown struct {
	since time.Time
	cause string
}

func (u *ups) note(conduit, cause string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[string]upDown)
	}
	if cause == "" {
		cause = u.last[conduit].cause
	}
	u.last[conduit] = upDown{time.Now().UTC(), cause}
}

func (u *ups) of(conduit string) (since time.Time, cause string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last[conduit].since, u.last[conduit].cause
}

// observe puts a conduit's ups and downs on record, and tells when it was up for the first time.
func (a *appliance) observe(conduit string) (onState func(up bool, cause error), first <-chan struct{}) {
	seen := make(chan struct{})
	var once sync.Once
	return func(up bool, cause error) {
		r := audit.Record{Event: audit.ConduitDown, Detail: map[string]string{"conduit": conduit}}
		if up {
			r.Event = audit.ConduitUp
			once.Do(func() { close(seen) })
			if f := a.gateway.Forwarder(); f != nil {
				f.Up(conduit)
			}
		}
		if cause != nil {
			r.Cause = cause.Error()
		}
		a.ups.note(conduit, r.Cause)
		if err := a.log.Note(r); err != nil {
			a.logger.Error("state of a conduit is not on record", "conduit", conduit, "up", up, "error", err)
		}
	}, seen
}

// runConduits keeps the conduits connected, and sweeps each once when it is up, until ctx ends.
func (a *appliance) runConduits(ctx context.Context, running *sync.WaitGroup) {
	var homes []string
	for _, d := range a.cfg.Devices {
		homes = append(homes, d.Home)
	}
	for name, c := range a.conduits {
		running.Go(func() {
			if err := c.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				a.logger.Error("conduit ended", "conduit", name, "error", err)
			}
		})
		running.Go(func() {
			select {
			case <-a.first[name]:
				a.sweepUntilDone(ctx, name, homes)
			case <-ctx.Done():
			}
		})
	}
}

// awaitConduits waits, not for long, for the first attempt to reach each conduit.
func (a *appliance) awaitConduits(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if a.gateway.Isolated() {
		return
	}
	for name, c := range a.conduits {
		if err := c.WaitReady(ctx); err != nil {
			a.logger.Warn("conduit is not up yet", "conduit", name, "error", err)
		}
	}
}

// sweepAgain is how long a sweep that failed waits for the next one.
const sweepAgain = time.Minute

// sweepUntilDone sweeps again as long as that can help: the conduit may have gone down in the middle.
func (a *appliance) sweepUntilDone(ctx context.Context, conduit string, homes []string) {
	for gateway.IsTemporary(a.sweep(ctx, conduit, homes)) {
		select {
		case <-time.After(sweepAgain):
		case <-ctx.Done():
			return
		}
	}
}

// sweep removes what earlier runs of this installation have left behind when they were killed.
func (a *appliance) sweep(ctx context.Context, conduit string, homes []string) error {
	removed, err := a.conduits[conduit].Sweep(ctx, homes)
	if err != nil && ctx.Err() == nil {
		a.logger.Warn("sweep of temporaries", "conduit", conduit, "error", err)
	}
	if len(removed) == 0 {
		return err
	}
	a.logger.Info("temporaries of an earlier run removed", "conduit", conduit, "count", len(removed))
	r := audit.Record{Event: audit.TemporariesSwept, Detail: map[string]string{
		"conduit": conduit, "count": strconv.Itoa(len(removed)), "first": removed[0],
	}}
	if err := a.log.Note(r); err != nil {
		a.logger.Error("sweep is not on record", "error", err)
	}
	return err
}
