// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// zoneRecorder is the audit log as the zones are bound to it: where a zone's on_failure is "continue", records that a failed log
// does not take are counted and given up, with an alarm in the operator log: at the first, and then once a minute for as long as there are
// more. A log that works is never passed over.
type zoneRecorder struct {
	log    *audit.Log
	onward map[string]bool // by zone
	logger *slog.Logger

	mu   sync.Mutex
	lost map[string]*losses // by zone
}

// alarmEvery is how long records that are given up are counted before the next alarm tells how many there were.
const alarmEvery = time.Minute

// losses are what a zone has lost since its last alarm.
type losses struct {
	since time.Time
	count int
	last  audit.Event
	err   error
}

func newZoneRecorder(log *audit.Log, zones []config.Zone, logger *slog.Logger) *zoneRecorder {
	r := &zoneRecorder{log: log, onward: make(map[string]bool), logger: logger, lost: make(map[string]*losses)}
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
	z.mu.Lock()
	defer z.mu.Unlock()
	if l, ok := z.lost[r.Zone]; ok {
		l.count, l.last, l.err = l.count+1, r.Event, err
		return nil
	}
	now := time.Now()
	z.lost[r.Zone] = &losses{since: now}
	z.alarm(r.Zone, &losses{since: now, count: 1, last: r.Event, err: err})
	return nil
}

// tell raises the alarm for what has been counted for as long as alarmEvery, or for everything.
func (z *zoneRecorder) tell(everything bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for zone, l := range z.lost {
		switch {
		case !everything && time.Since(l.since) < alarmEvery:
		case l.count == 0:
			delete(z.lost, zone)
		default:
			z.alarm(zone, l)
			z.lost[zone] = &losses{since: time.Now()}
		}
	}
}

func (z *zoneRecorder) alarm(zone string, l *losses) {
	z.logger.Error("ALARM: devices go on without an audit log", "zone", zone, "event", l.last, "records_lost", l.count,
		"since", l.since.UTC().Format(time.RFC3339), "error", l.err)
}

// count begins to tell what is counted; end tells the rest, and is called when nothing more is recorded.
func (z *zoneRecorder) count() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(alarmEvery / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				z.tell(false)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
		z.tell(true)
	}
}
