// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// hearManager is a service manager's socket. What it was told comes out when heard is called, which closes it.
func hearManager(t *testing.T) (heard func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	var text strings.Builder
	ended := make(chan struct{})
	go func() { // the socket has room for a few messages only
		defer close(ended)
		for b := make([]byte, 4096); ; {
			n, err := c.Read(b)
			if text.Write(b[:n]); err != nil || string(b[:n]) == "END" {
				return
			}
		}
	}()
	return func() string {
		if _, err := daemon.SdNotify(false, "END"); err != nil { // behind all others
			t.Error(err)
		}
		<-ended
		_ = c.Close()
		return text.String()
	}
}

// The watchdog is fed as long as the gateway is alive, and not a single time when it is not.
func TestWatchdogIsNoBareTimer(t *testing.T) {
	for name, test := range map[string]struct {
		alive func(context.Context) error
		fed   bool
	}{
		"alive": {func(context.Context) error { return nil }, true},
		"dead":  {func(context.Context) error { return errors.New("nobody accepts") }, false},
		"hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			heard := hearManager(t)
			t.Setenv("WATCHDOG_USEC", "30000000")
			var log strings.Builder
			m := &manager{slog.New(slog.NewTextHandler(&log, nil))}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				m.watchdog(ctx, test.alive)
			})
			got := strings.Count(heard(), "WATCHDOG=1")
			if test.fed && got < 10 || !test.fed && got > 0 {
				t.Errorf("fed %d times in two minutes with a limit of half a minute", got)
			}
			if test.fed == strings.Contains(log.String(), "the gateway hangs") {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// A gateway that no service manager has started, or that is none of its own, tells nobody anything.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	m := &manager{slog.New(slog.DiscardHandler)}
	m.ready("x")
	m.watchdog(t.Context(), nil) // returns at once
	m = nil
	m.ready("x")
	m.watchdog(t.Context(), nil)
}
