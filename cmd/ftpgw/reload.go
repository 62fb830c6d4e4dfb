// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/internal/config"
)

// watch acts on what happens to a running gateway from outside, until ctx ends.
func (a *appliance) watch(ctx context.Context, h hooks) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.reload:
			if _, err := a.reload(ctx, h, map[string]string{"by": "SIGHUP"}); err != nil {
				a.logger.Error("the configuration was not reloaded, the old one stays in force", "error", err)
			}
		}
	}
}

// reloaded is what has come of a reload. Its field names are a contract.
type reloaded struct {
	Before  string   `json:"before"` // digest
	Digest  string   `json:"digest"`
	Changed []string `json:"changed"`      // in words; empty where the configuration and the files that it names say the same as before
	Cut     int      `json:"sessions_cut"` // of devices that are gone or changed
	Devices int      `json:"devices"`
	Rules   int      `json:"rules"`
}

// reload replaces rules, devices, the zones' certificates and what the configuration says about an island, in one step, or nothing
// where anything is wrong. Each further step of a session is decided by the new rules; a transfer that is under way ends under those
// with which it began. Sessions of devices that are gone or changed are cut, and what they transfer is broken off. who is for the
// record.
func (a *appliance) reload(ctx context.Context, h hooks, who map[string]string) (out reloaded, err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	h.manager.reloading()
	defer func() {
		status := a.statusLine()
		if err != nil {
			status += "; the last configuration that was offered is not in force"
		}
		h.manager.ready(status)
	}()
	cfg, zones, err := a.prepare(h.load)
	if err != nil {
		return reloaded{}, a.refuseReload(cfg, err, who)
	}
	before, renewed := a.cfg, changedCertificates(a.zones, zones)
	r := audit.Record{Event: audit.ConfigLoaded, Detail: map[string]string{"digest": cfg.Digest, "before": before.Digest}}
	if len(renewed) > 0 { // the digest does not tell: it is not over the files of certificates
		r.Detail["certificates"] = strings.Join(renewed, ", ")
	}
	maps.Copy(r.Detail, who)
	if err := a.log.Record(ctx, r); err != nil {
		return reloaded{}, err
	}
	out = reloaded{
		Before: before.Digest, Digest: cfg.Digest, Changed: append(config.Changes(before, cfg), renewed...),
		Devices: len(cfg.Devices), Rules: len(cfg.Policy.Rules()),
	}
	if cfg.Island { // before anything crosses by the new rules
		err = a.island.order(ctx, cfg, who)
	}
	out.Cut = a.front.Replace(frontDevices(cfg.Devices), func() {
		a.gateway.SetPolicy(cfg.Policy)
		for _, z := range zones {
			if z.TLS != nil {
				a.front.SetTLS(z.Name, z.TLS.Config)
			}
		}
	})
	if !cfg.Island {
		err = a.island.order(ctx, cfg, who)
	}
	warnOfExpiry(a.logger, zones)
	a.cfg, a.zones = cfg, zones
	a.inForce.Store(&inForce{cfg: cfg, since: time.Now()})
	a.logger.Info("configuration reloaded", "digest", cfg.Digest, "devices", len(cfg.Devices), "changed", out.Changed, "sessions_cut", out.Cut)
	return out, err
}

// prepare reads a configuration and all that it leads to. The error says why it cannot be taken; then the configuration may be nil.
func (a *appliance) prepare(load func() (*config.Config, error)) (*config.Config, []ftpfront.Zone, error) {
	cfg, err := load()
	if err != nil {
		return nil, nil, explainDenied(err)
	}
	keys, err := keyDigests(cfg)
	if err != nil {
		return cfg, nil, explainDenied(err)
	}
	if changed := a.needRestart(cfg, keys); len(changed) > 0 {
		return cfg, nil, fmt.Errorf("changed, and only a restart can apply it: %s", strings.Join(changed, ", "))
	}
	zones, err := frontZones(cfg.Zones) // the files of certificates may have other contents under their old names
	return cfg, zones, explainDenied(err)
}

// refuseReload puts on record that a configuration was offered and not taken.
func (a *appliance) refuseReload(cfg *config.Config, cause error, who map[string]string) error {
	first, _, _ := strings.Cut(cause.Error(), "\n")
	r := audit.Record{Event: audit.ConfigRefused, Cause: strings.TrimSuffix(first, ":"), Detail: map[string]string{"in_force": a.cfg.Digest}}
	maps.Copy(r.Detail, who)
	offered := ""
	if de := (*config.DiagnosticsError)(nil); errors.As(cause, &de) {
		offered = de.Digest()
	} else if cfg != nil {
		offered = cfg.Digest
	}
	if offered != "" {
		r.Detail["digest"] = offered
	}
	return errors.Join(cause, a.log.Note(r))
}

// needRestart names what a new configuration changes that only a start can bring about.
func (a *appliance) needRestart(cfg *config.Config, keys map[string]keyDigest) (changed []string) {
	for what, same := range map[string]bool{
		"the zones":         reflect.DeepEqual(cfg.Zones, a.cfg.Zones),
		"the conduits":      reflect.DeepEqual(cfg.Conduits, a.cfg.Conduits),
		"the audit block":   reflect.DeepEqual(cfg.Audit, a.cfg.Audit),
		"the spool block":   reflect.DeepEqual(cfg.Spool, a.cfg.Spool),
		"the limits block":  reflect.DeepEqual(cfg.Limits, a.cfg.Limits),
		"the gateway block": reflect.DeepEqual(cfg.Gateway, a.cfg.Gateway),
	} {
		if !same {
			changed = append(changed, what)
		}
	}
	for what, now := range keys {
		if before, ok := a.keys[what]; ok && before.sum != now.sum { // where it is new, its block has changed
			changed = append(changed, fmt.Sprintf("the %s (%s)", what, now.file))
		}
	}
	slices.Sort(changed)
	return changed
}

// keyDigest is of a file with a key.
type keyDigest struct {
	file string
	sum  string // empty where there is no such file
}

// keyDigests are over the contents of the files with keys that are read at start only, by what they are.
func keyDigests(cfg *config.Config) (map[string]keyDigest, error) {
	files := map[string]string{}
	for _, c := range cfg.Conduits {
		files[fmt.Sprintf("identity of conduit %q", c.Name)] = c.Identity
		files[fmt.Sprintf("known_hosts of conduit %q", c.Name)] = c.KnownHosts
	}
	for _, s := range cfg.Audit.Sinks {
		files[fmt.Sprintf("ca of sink %q", s.Name)] = s.CA
	}
	if cfg.Spool != nil {
		files["age_identity of the spool"] = cfg.Spool.Identity
	}
	var err error
	if files[signingKeyName], _, err = findSigningKey(cfg); err != nil {
		return nil, err
	}
	digests := map[string]keyDigest{}
	for what, file := range files {
		if file == "" {
			continue
		}
		content, err := os.ReadFile(file)
		switch {
		case err == nil:
			digests[what] = keyDigest{file, fmt.Sprintf("%x", sha256.Sum256(content))}
		case what == signingKeyName && errors.Is(err, fs.ErrNotExist): // the next start makes it
			digests[what] = keyDigest{file: file}
		case what == signingKeyName && errors.Is(err, fs.ErrPermission): // a link leads out of the sandbox: it was read before that began
		default:
			return nil, fmt.Errorf("the %s: %w", what, err)
		}
	}
	return digests, nil
}

const signingKeyName = "signing_key of the audit log"
