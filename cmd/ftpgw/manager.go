// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// manager is the service manager that has started this process (sd_notify(3)), if one has: what it is not told it cannot act upon.
// The nil manager, as of a gateway in a demo, is told nothing.
type manager struct{ logger *slog.Logger }

func (m *manager) tell(state string) {
	if m == nil {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.logger.Warn("the service manager cannot be told", "error", err)
	}
}

// ready says that devices are served, be it for the first time or after a reload.
func (m *manager) ready(status string) { m.tell(daemon.SdNotifyReady + "\nSTATUS=" + status) }

// reloading says that the configuration is read again. Type=notify-reload wants to know when that began.
func (m *manager) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return // it never fails
	}
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/int64(time.Microsecond)))
}

// awaitStop tells when ctx has ended that no device is accepted any more, and for how long those that are there may go on. It returns
// when life has ended, if that comes first.
func (m *manager) awaitStop(ctx, life context.Context, grace time.Duration) {
	const margin = 30 * time.Second // for sessions that have to be cut, and for the last records
	select {
	case <-ctx.Done():
		m.tell(fmt.Sprintf("%s\nSTATUS=running transfers may finish\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, (grace + margin).Microseconds()))
	case <-life.Done():
	}
}

// watchdog gives the manager signs of life, as often as it wants them (WatchdogSec=) and as long as alive has no error, until ctx ends.
// A gateway that hangs is ended by the manager then, with a SIGABRT that writes down what each goroutine was doing.
func (m *manager) watchdog(ctx context.Context, alive func(context.Context) error) {
	if m == nil {
		return
	}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.logger.Warn("the service manager's watchdog is not served", "error", err)
	}
	if err != nil || limit == 0 {
		return
	}
	ticker := time.NewTicker(limit / 3)
	defer ticker.Stop()
	for {
		if m.feed(ctx, limit/3, alive) {
			m.tell(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// feed reports whether the gateway is alive.
func (m *manager) feed(ctx context.Context, patience time.Duration, alive func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := alive(ctx)
	if err != nil {
		m.logger.Error("the gateway hangs; the service manager will end it", "error", err)
	}
	return err == nil
}

// alive is nil when the gateway would serve a device that comes now: each zone accepts, and the audit log is written.
func (a *appliance) alive(ctx context.Context) error {
	if err := a.front.Alive(ctx); err != nil {
		return err
	}
	return a.log.Alive(ctx)
}

// statusLine is what the service manager shows.
func (a *appliance) statusLine() string {
	cfg := a.inForce.Load().cfg
	return fmt.Sprintf("%d zones, %d conduits, %d devices", len(cfg.Zones), len(cfg.Conduits), len(cfg.Devices))
}
