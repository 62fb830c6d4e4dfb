// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
)

// onInfo calls a function with each message of the operator log, while whoever says it waits.
type onInfo struct {
	slog.Handler
	said func(message string)
}

func (h onInfo) Handle(ctx context.Context, r slog.Record) error {
	h.said(r.Message)
	return h.Handler.Handle(ctx, r)
}

// What is said at "ready" is of the configuration in force, be it reloaded while the conduits were awaited; and no reload can begin or end
// in the middle of it, so that the service manager's last word is not about what was there before.
func TestReadyIsOfTheConfigurationInForce(t *testing.T) {
	heard := hearManager(t)
	var text strings.Builder
	a := &appliance{gateway: gateway.New(gateway.Options{}), front: ftpfront.New(ftpfront.Options{})}
	said := 0
	a.logger = slog.New(onInfo{slog.NewTextHandler(&text, nil), func(message string) {
		if message != "ready" {
			return
		}
		if said++; a.reloading.TryLock() {
			a.reloading.Unlock()
			t.Error("a reload could begin while what is in force is told")
		}
	}})
	put := func(devices int) { // as reload does
		a.reloading.Lock()
		defer a.reloading.Unlock()
		a.cfg = &config.Config{Devices: make([]config.Device, devices)}
		a.inForce.Store(&inForce{cfg: a.cfg})
	}
	put(1)
	put(2)
	a.announce(t.Context(), hooks{ready: func(*appliance) {}, manager: &manager{a.logger}})
	if said != 1 || !strings.Contains(text.String(), "devices=2") {
		t.Errorf("log: %s", text.String())
	}
	if told := heard(); !strings.Contains(told, "READY=1\nSTATUS=0 zones, 0 conduits, 2 devices") {
		t.Errorf("the service manager was told %q", told)
	}
}
