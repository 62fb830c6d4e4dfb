// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/quota"
)

func TestClockJump(t *testing.T) {
	now := time.Now()
	if jump := clockJump(now, now.Add(10*time.Second), 10*time.Second); jump != 0 {
		t.Errorf("a clock that goes as it should jumps by %v", jump)
	}
	if jump := clockJump(now, now.Add(-time.Hour), 10*time.Second); jump != -time.Hour-10*time.Second {
		t.Errorf("a clock that was set back jumps by %v", jump)
	}
	dir := t.TempDir()
	log, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counts, _, err := quota.Open(t.TempDir(), quota.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &appliance{log: log, quota: counts, logger: slog.New(slog.DiscardHandler)}
	for _, jump := range []time.Duration{0, 999 * time.Millisecond, -time.Hour} {
		a.noteJump(jump)
	}
	if err := errors.Join(counts.Close(), log.Close()); err != nil {
		t.Fatal(err)
	}
	count := 0
	for r, err := range audit.Read(dir) {
		if count++; err != nil || r.Event != audit.ClockJumped || r.Detail["jump"] != "-1h0m0s" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if count != 1 {
		t.Errorf("%d records", count)
	}
}
