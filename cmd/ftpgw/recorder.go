// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// zoneRecorder is the audit log as the zones are bound to it: where a zone's on_failure is "continue", records that a failed log
// does not take are counted and given up, with an alarm in the operator log. A log that works is never passed over.
type zoneRecorder struct {
	log     *audit.Log
	onward  map[string]bool // by zone
	logger  *slog.Logger
	skipped atomic.Int64
}

// alarmEvery is how many records are given up between two alarms.
const alarmEvery = 1000

func newZoneRecorder(log *audit.Log, zones []config.Zone, logger *slog.Logger) *zoneRecorder {
	r := &zoneRecorder{log: log, onward: make(map[string]bool), logger: logger}
	for _, z := range zones {
		r.onward[z.Name] = z.OnFailure == config.OnFailureContinue
	}
	return r
}

// Record implements gateway.Recorder.
func (z *zoneRecorder) Record(ctx context.Context, r audit.Record) error {
	return z.accept(r, z.log.Record(ctx, r))
}

// Note implements gateway.Recorder.
func (z *zoneRecorder) Note(r audit.Record) error { return z.accept(r, z.log.Note(r)) }

// Accepts implements gateway.Recorder.
func (z *zoneRecorder) Accepts(zone string) error {
	if z.onward[zone] {
		return nil
	}
	return z.log.Err()
}

func (z *zoneRecorder) accept(r audit.Record, err error) error {
	if err == nil || !z.onward[r.Zone] || !errors.Is(err, audit.ErrFailed) {
		return err
	}
	if n := z.skipped.Add(1); n%alarmEvery == 1 {
		z.logger.Error("ALARM: devices go on without an audit log", "zone", r.Zone, "event", r.Event, "records_lost", n, "error", err)
	}
	return nil
}
