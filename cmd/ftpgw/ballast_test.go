// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
)

// heapGoal is the size of the heap at which garbage is collected next, after a collection.
func heapGoal() uint64 {
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	return goal[0].Value.Uint64()
}

// A gateway that runs has the ballast, and has it no more when it has ended.
func TestServeHasBallast(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	world, err := newDemoWorld(t.Context(), environment{stdout: io.Discard, stderr: t.Output()}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	zone := &world.cfg.Zones[0]
	zone.Listen = netip.AddrPortFrom(zone.Listen.Addr(), 0) // the demo's own may be taken
	before := heapGoal()
	var during uint64
	ctx, stop := context.WithCancel(t.Context())
	err = serve(ctx, world.cfg, slog.New(slog.DiscardHandler), hooks{ready: func(*appliance) { during = heapGoal(); stop() }})
	if err := errors.Join(err, world.server.Close()); err != nil {
		t.Fatal(err)
	}
	after := heapGoal()
	if during < before+ballastSize || during < after+ballastSize {
		t.Errorf("garbage is collected at %d bytes before, at %d while the gateway runs, at %d after it", before, during, after)
	}
}

// The ballast takes no memory, whatever it does to Go's idea of it; a limit on memory leaves as much for the rest as before; and where the
// operator has told Go what to do there is none. Each needs a process that has not used its memory for anything else yet.
func TestBallast(t *testing.T) {
	if os.Getenv("FTPGW_TEST_BALLAST") != "" {
		lookAtBallast(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"TUNED=no", "GOGC=100", "GOMEMLIMIT=1GiB"} {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestBallast$", "-test.v")
		cmd.Env = append(os.Environ(), "FTPGW_TEST_BALLAST=1", "GOGC=", "GOMEMLIMIT=", setting)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", setting, err, out)
		}
	}
}

func lookAtBallast(t *testing.T) {
	before := heapGoal()
	if os.Getenv("TUNED") == "" {
		limit := debug.SetMemoryLimit(-1)
		if b := ballast(); b != nil || heapGoal() > before+ballastSize || debug.SetMemoryLimit(-1) != limit {
			t.Errorf("%d bytes of ballast where the operator has tuned Go", len(b))
		}
		return
	}
	const limit = 512 << 20
	debug.SetMemoryLimit(limit)
	b := ballast()
	if after := heapGoal(); after < 2*ballastSize {
		t.Errorf("garbage is collected at %d bytes without the ballast, and at %d with it", before, after)
	}
	if got := debug.SetMemoryLimit(-1); got != limit+ballastSize {
		t.Errorf("a memory limit of %d has become %d", limit, got)
	}
	// A large page that the beginning or the end of it shares with something else may be there.
	if resident, all := presentPages(t, b), len(b)/os.Getpagesize(); resident > all/2 {
		t.Errorf("%d of the ballast's %d pages are in memory", resident, all)
	}
	runtime.KeepAlive(b)
}

// presentPages is how many pages of b are in memory (proc_pid_pagemap(5)).
func presentPages(t *testing.T, b []byte) (present int) {
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer pagemap.Close()
	var start int64
	if _, err := fmt.Sscanf(fmt.Sprintf("%p", b), "0x%x", &start); err != nil {
		t.Fatal(err)
	}
	page := int64(os.Getpagesize())
	entries := make([]byte, 8*(int64(len(b))/page))
	if _, err := pagemap.ReadAt(entries, 8*(start/page)); err != nil {
		t.Fatal(err)
	}
	for ; len(entries) > 0; entries = entries[8:] {
		present += int(binary.LittleEndian.Uint64(entries) >> 63)
	}
	return present
}

// What is said of the ballast to operators is what it is.
func TestBallastIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := fmt.Sprintf("lets %d MiB of garbage come together", ballastSize>>20); !strings.Contains(string(text), said) {
		t.Errorf("docs/limits.md does not say that the gateway %s", said)
	}
}
