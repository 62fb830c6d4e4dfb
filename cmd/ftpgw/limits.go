// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
)

func frontLimits(l config.ZoneLimits) ftpfront.Limits {
	return ftpfront.Limits{
		Connections: l.Connections, ConnectionsPerAddress: l.ConnectionsPerAddress, ConnectionsPerSecond: l.ConnectionsPerSecond,
		Startups: ftpfront.Startups(l.Startups), StartupsPerAddress: l.StartupsPerAddress, SessionsPerDevice: l.SessionsPerDevice,
		LoginAttempts: l.LoginAttempts, LoginAttemptsPerAddress: l.LoginAttemptsPerAddress, LoginDelay: l.LoginDelay, Lockout: l.Lockout,
		CommandsPerSecond: l.CommandsPerSecond, CommandsBeforeLogin: l.CommandsBeforeLogin, BadCommands: l.BadCommands, LineLength: l.LineLength,
		PassivePortsPerAddress: l.PassivePortsPerAddress, MinimumRate: l.MinimumRate,
	}
}

// What takes descriptors besides the control connections.
const (
	perTransfer   = 3  // the data connection, the passive listener, and that of the data transfer process
	perConnection = 2  // a connection of a conduit, and the one that replaces it
	otherUse      = 64 // the logs, their receivers, key files, and what Go keeps open
	leastDevices  = 8  // control connections below which the gateway makes no sense
)

// descriptorsFor is how many a gateway under full load has open.
func descriptorsFor(cfg *config.Config, connections int) int {
	n := connections + perTransfer*min(cfg.Limits.Transfers, connections) + len(cfg.Zones) + otherUse
	for _, c := range cfg.Conduits {
		n += perConnection * c.Connections
		if cfg.Spool != nil {
			n += cfg.Spool.Workers + gateway.MaxSlowed // files of the spool that are being delivered
		}
	}
	return n
}

// fitDescriptors is how many control connections there can be with so many descriptors.
func fitDescriptors(cfg *config.Config, granted int) int {
	fit := cfg.Limits.Connections
	for fit > 0 && descriptorsFor(cfg, fit) > granted {
		// Each connection less saves one descriptor at least, so that this takes a few rounds.
		fit -= max(1, (descriptorsFor(cfg, fit)-granted)/(1+perTransfer))
	}
	return fit
}

// raiseDescriptors raises the soft limit of descriptors to the hard one and returns it.
func raiseDescriptors() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("ask for the limit of descriptors: %w", err)
	}
	const enough = 1 << 20
	if l.Cur < l.Max {
		raised := syscall.Rlimit{Cur: l.Max, Max: l.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err == nil {
			l = raised
		}
	}
	return int(min(l.Cur, enough)), nil
}

// totals are the limits of the front that the machine allows.
func totals(cfg *config.Config, granted int, logger *slog.Logger) (ftpfront.Totals, error) {
	l := cfg.Limits
	fit := fitDescriptors(cfg, granted)
	if fit < leastDevices {
		return ftpfront.Totals{}, fmt.Errorf("the system grants %d open files, which leaves %d control connections; raise it (LimitNOFILE, ulimit -n) to %d",
			granted, fit, descriptorsFor(cfg, l.Connections))
	}
	if fit < l.Connections {
		logger.Warn("the system grants too few open files for limits.connections; there will be fewer connections",
			"granted", granted, "needed", descriptorsFor(cfg, l.Connections), "configured", l.Connections, "connections", fit)
	}
	return ftpfront.Totals{Connections: fit, Transfers: l.Transfers, PasswordChecks: l.PasswordChecks}, nil
}

// limitMemory has Go collect garbage before the system ends the program for the memory that it takes.
func limitMemory(l config.Limits, logger *slog.Logger) {
	switch {
	case os.Getenv("GOMEMLIMIT") != "": // Go has seen it
	case l.Memory > 0:
		debug.SetMemoryLimit(l.Memory)
		logger.Info("memory is limited", "limit", l.Memory, "by", "the configuration")
	default:
		const share = 0.9
		limit, err := memlimit.Set(memlimit.WithRatio(share), memlimit.WithProvider(memlimit.FromCgroup))
		const none = 1 << 62 // what a cgroup of version 1 has where it grants everything
		if err != nil || limit > none {
			logger.Debug("memory is not limited", "error", err)
			return
		}
		logger.Info("memory is limited", "limit", limit, "by", "the cgroup")
	}
}
