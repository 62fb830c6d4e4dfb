// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

const (
	// clockPeriod is how often the clock is compared with the time that has passed, clockTolerance the difference that is a jump:
	// what a clock that is disciplined (500 ppm at most, adjtime) cannot come to in that time.
	clockPeriod    = 10 * time.Second
	clockTolerance = time.Second
)

// watchClock puts on record when the clock of the machine is set while the gateway runs, until ctx ends. The times of records never go
// backwards; how they are to be read is said by these records.
func (a *appliance) watchClock(ctx context.Context) {
	ticker := time.NewTicker(clockPeriod)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := time.Now()
			a.noteJump(clockJump(last, now, now.Sub(last)))
			last = now
		}
	}
}

// clockJump is by how much the clock went from one time to another in more than has passed, by the monotonic clock.
func clockJump(from, to time.Time, passed time.Duration) time.Duration {
	return to.Round(0).Sub(from.Round(0)) - passed // Round drops the monotonic reading
}

func (a *appliance) noteJump(jump time.Duration) {
	if jump.Abs() < clockTolerance {
		return
	}
	a.logger.Warn("the clock was set", "jump", jump)
	a.quota.ClockSet()
	r := audit.Record{Event: audit.ClockJumped, Detail: map[string]string{"jump": jump.String()}}
	if err := a.log.Note(r); err != nil {
		a.logger.Error("a jump of the clock is not on record", "error", err)
	}
}
