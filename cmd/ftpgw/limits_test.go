// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/internal/config"
)

// There are never more connections than the system grants descriptors for: the configured number where it fits, at the descriptor; the
// largest that fits, with a warning, where it does not; no start where hardly any would be left.
func TestDescriptorsAreCounted(t *testing.T) {
	cfg := &config.Config{
		Limits: config.Limits{Connections: 1000, Transfers: 200}, Zones: make([]config.Zone, 2), Conduits: []config.Conduit{{Connections: 4}, {Connections: 2}},
	}
	needed := descriptorsFor(cfg, 1000)
	if want := 1000 + 3*200 + 2 + 2*6 + otherUse; needed != want {
		t.Errorf("%d descriptors are needed, want %d", needed, want)
	}
	cfg.Spool = &config.Spool{Workers: 4}
	if n, want := descriptorsFor(cfg, 1000), needed+2*(4+64); n != want {
		t.Errorf("with a spool %d descriptors are needed, want %d", n, want)
	}
	cfg.Spool = nil
	for granted := range needed + 10 {
		fit := fitDescriptors(cfg, granted)
		if fit > 0 && descriptorsFor(cfg, fit) > granted {
			t.Fatalf("%d granted: %d connections do not fit", granted, fit)
		}
		if fit < 1000 && descriptorsFor(cfg, fit+1) <= granted {
			t.Fatalf("%d granted: %d connections, and one more would fit", granted, fit)
		}
		var log bytes.Buffer
		l, err := totals(cfg, granted, slog.New(slog.NewTextHandler(&log, nil)))
		switch {
		case fit < leastDevices:
			if err == nil || !strings.Contains(err.Error(), "LimitNOFILE") {
				t.Fatalf("%d granted: %v", granted, err)
			}
		case err != nil || l.Connections != fit || l.Transfers != 200:
			t.Fatalf("%d granted: %+v, %v", granted, l, err)
		case (fit < 1000) != strings.Contains(log.String(), "too few open files"):
			t.Fatalf("%d granted: %d connections, and the log says %q", granted, fit, log.String())
		}
	}
}

// The soft limit is what the hard one is.
func TestDescriptorsAreRaised(t *testing.T) {
	if n, err := raiseDescriptors(); err != nil || n < 100 {
		t.Errorf("%d, %v", n, err)
	}
}

// The configured memory limit reaches Go, unless the environment has said something.
func TestMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	logger := slog.New(slog.DiscardHandler)
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(config.Limits{Memory: 300 << 20}, logger)
	if got := debug.SetMemoryLimit(-1); got != 300<<20 {
		t.Errorf("the limit is %d", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	t.Setenv("GOMEMLIMIT", "1GiB")
	limitMemory(config.Limits{Memory: 300 << 20}, logger)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the environment was overruled: %d", got)
	}
}
