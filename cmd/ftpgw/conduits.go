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
