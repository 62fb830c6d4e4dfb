// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// watch acts on what happens to a running gateway from outside, until ctx ends.
func (a *appliance) watch(ctx context.Context, h hooks) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.reload:
			h.manager.reloading()
			status := ""
			if err := a.reload(ctx, h.load); err != nil {
				a.logger.Error("the configuration was not reloaded, the old one stays in force", "error", err)
				status = "; the last configuration that was offered is not in force"
			}
			h.manager.ready(a.statusLine() + status)
		}
	}
}

// reload replaces rules, devices and the zones' certificates. Each further step of a session is decided by the new rules; a transfer
// that is under way ends under those with which it began. Sessions of devices that are gone or changed are cut.
func (a *appliance) reload(ctx context.Context, load func() (*config.Config, error)) error {
	cfg, err := load()
	if err != nil {
		return a.refuseReload(explainDenied(err))
	}
	keys, err := keyDigest(cfg)
	if err != nil {
		return a.refuseReload(explainDenied(err))
	}
	if changed := a.needRestart(cfg, keys); len(changed) > 0 {
		return a.refuseReload(fmt.Errorf("changed, and only a restart can apply it: %s", strings.Join(changed, ", ")))
	}
	zones, err := frontZones(cfg.Zones) // the files of certificates may have other contents under their old names
	if err != nil {
		return a.refuseReload(err)
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

// refuseReload puts on record that a configuration was offered and not taken.
func (a *appliance) refuseReload(cause error) error {
	first, _, _ := strings.Cut(cause.Error(), "\n")
	return errors.Join(cause, a.log.Note(audit.Record{Event: audit.ConfigRefused, Cause: first}))
}

// needRestart names what a new configuration changes that only a start can bring about.
func (a *appliance) needRestart(cfg *config.Config, keys string) (changed []string) {
	for what, same := range map[string]bool{
		"the zones":            reflect.DeepEqual(cfg.Zones, a.cfg.Zones),
		"the conduits":         reflect.DeepEqual(cfg.Conduits, a.cfg.Conduits),
		"a key or known_hosts": keys == a.keys,
		"the audit block":      reflect.DeepEqual(cfg.Audit, a.cfg.Audit),
		"the spool block":      reflect.DeepEqual(cfg.Spool, a.cfg.Spool),
		"the limits block":     reflect.DeepEqual(cfg.Limits, a.cfg.Limits),
		"the gateway block":    reflect.DeepEqual(cfg.Gateway, a.cfg.Gateway),
	} {
		if !same {
			changed = append(changed, what)
		}
	}
	slices.Sort(changed)
	return changed
}

// keyDigest is over the contents of the files with keys that the conduits use: they are read at start only.
func keyDigest(cfg *config.Config) (string, error) {
	h := sha256.New()
	for _, c := range cfg.Conduits {
		for _, file := range []string{c.Identity, c.KnownHosts} {
			if file == "" {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("conduit %q: %w", c.Name, err)
			}
			sum := sha256.Sum256(content)
			h.Write(sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
