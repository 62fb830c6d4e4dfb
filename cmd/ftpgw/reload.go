// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"reflect"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// watch acts on what happens to a running gateway from outside, until ctx ends.
func (a *appliance) watch(ctx context.Context, h hooks) {
	failed := a.log.Failed()
	for {
		select {
		case <-ctx.Done():
			return
		case <-failed:
			a.logger.Error("the audit log has failed: devices are refused until the cause is removed and the program restarted", "error", a.log.Err())
			failed = nil
		case <-h.reload:
			if err := a.reload(ctx, h.load); err != nil {
				a.logger.Error("the configuration was not reloaded, the old one stays in force", "error", err)
			}
		}
	}
}

// errNeedsRestart says that a new configuration differs in what only a start can bring about.
var errNeedsRestart = errors.New("zones, conduits, the audit directory or the gateway block changed: restart to apply")

// reload replaces rules, devices and the zones' certificates. Sessions that are logged in stay so; each further step is decided by the new rules, and a
// transfer that is under way ends under those with which it began.
func (a *appliance) reload(ctx context.Context, load func() (*config.Config, error)) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(cfg.Zones, a.cfg.Zones) || !reflect.DeepEqual(cfg.Conduits, a.cfg.Conduits) ||
		cfg.Audit != a.cfg.Audit || cfg.Gateway != a.cfg.Gateway {
		return errNeedsRestart
	}
	zones, err := frontZones(cfg.Zones) // the files of certificates may have other contents under their old names
	if err != nil {
		return err
	}
	r := audit.Record{Event: audit.ConfigLoaded, Detail: map[string]string{"digest": cfg.Digest, "before": a.cfg.Digest}}
	if err := a.log.Record(ctx, r); err != nil {
		return err
	}
	a.gateway.SetPolicy(cfg.Policy)
	a.front.SetDevices(frontDevices(cfg.Devices))
	for _, z := range zones {
		if z.TLS != nil {
			a.front.SetTLS(z.Name, z.TLS.Config)
		}
	}
	warnOfExpiry(a.logger, zones)
	a.cfg = cfg
	a.logger.Info("configuration reloaded", "digest", cfg.Digest, "devices", len(cfg.Devices))
	return nil
}
