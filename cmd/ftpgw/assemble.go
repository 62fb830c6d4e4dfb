// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/sftpback"
)

// assemble makes the parts and connects them.
func (a *appliance) assemble() error {
	remotes, err := a.makeConduits()
	if err != nil {
		return err
	}
	a.gateway = gateway.New(gateway.Options{
		Policy: a.cfg.Policy, Remotes: remotes, Log: a.recorder, Logger: a.logger, Now: time.Now, TraceDenials: a.cfg.Audit.TraceDenials, Quota: a.quota,
		Spool: a.spool, Forward: forwardOptions(a.cfg.Spool),
		Limits: gateway.Limits{PathLength: a.cfg.Limits.PathLength, PathDepth: a.cfg.Limits.PathDepth, ListingEntries: a.cfg.Limits.ListingEntries},
	})
	if a.zones, err = frontZones(a.cfg.Zones); err != nil {
		return err
	}
	warnOfExpiry(a.logger, a.zones)
	warnOfOpenZones(a.logger, a.cfg.Zones)
	granted, err := raiseDescriptors()
	if err != nil {
		return err
	}
	limits, err := totals(a.cfg, granted, a.logger)
	if err != nil {
		return err
	}
	a.front = ftpfront.New(ftpfront.Options{
		Zones: a.zones, Devices: frontDevices(a.cfg.Devices), Limits: limits,
		Gateway: a.gateway, Log: a.recorder, Logger: a.logger, Now: time.Now,
	})
	return nil
}

// makeConduits makes the conduits. Their keys are loaded; nothing is connected yet.
func (a *appliance) makeConduits() (map[string]gateway.Remote, error) {
	tempDirs, err := a.openTempDirs()
	if err != nil {
		return nil, err
	}
	a.conduits = make(map[string]*sftpback.Conduit)
	a.first = make(map[string]<-chan struct{})
	remotes := make(map[string]gateway.Remote)
	for _, c := range a.cfg.Conduits {
		onState, first := a.observe(c.Name)
		conduit, err := sftpback.New(sftpback.Config{
			Name: c.Name, Address: c.Address, User: c.User, Identity: c.Identity, IdentityAgent: c.IdentityAgent,
			KnownHosts: c.KnownHosts, HostKey: c.HostKey, Root: c.Root, Connections: c.Connections,
			SourceAddress: c.SourceAddress, Interface: c.Interface,
			DialTimeout: c.DialTimeout, RequestTimeout: c.RequestTimeout, KeepAlive: c.KeepAlive,
			ListingEntries: a.cfg.Limits.ListingEntries,
			Instance:       a.log.Instance(), TempDirs: filepath.Join(tempDirs, c.Name), Logger: a.logger, OnState: onState,
		})
		if err != nil {
			return nil, err
		}
		a.conduits[c.Name], a.first[c.Name], remotes[c.Name] = conduit, first, conduit
	}
	return remotes, nil
}

// frontZones are the zones of the configuration as the front-end has them.
func frontZones(zones []config.Zone) ([]ftpfront.Zone, error) {
	var out []ftpfront.Zone
	for _, z := range zones {
		t, err := frontTLS(z.TLS)
		if err != nil {
			return nil, fmt.Errorf("zone %q: %w", z.Name, err)
		}
		out = append(out, ftpfront.Zone{
			Name: z.Name, Listen: z.Listen, PassiveAddress: z.PassiveAddress,
			PassivePorts: ftpfront.PortRange{First: z.PassivePorts.First, Last: z.PassivePorts.Last}, Interface: z.Interface,
			ActivePorts: ftpfront.PortRange{First: z.ActivePorts.First, Last: z.ActivePorts.Last},
			IdleTimeout: z.IdleTimeout, LoginTimeout: z.LoginTimeout, DataTimeout: z.DataTimeout, StallTimeout: z.StallTimeout,
			Settle: z.Settle, RefuseWithoutConduit: z.RefuseWithoutConduit, Greeting: z.Greeting, TLS: t, Quirks: frontQuirks(z.Quirks),
			Limits: frontLimits(z.Limits),
		})
	}
	return out, nil
}

func frontDevices(devices []config.Device) []ftpfront.Device {
	var out []ftpfront.Device
	for _, d := range devices {
		out = append(out, ftpfront.Device{
			Name: d.Name, User: d.User, PasswordHash: d.PasswordHash, From: d.From, Home: d.Home,
			CertificateNames: d.CertificateNames, Quirks: frontQuirks(d.Quirks),
		})
	}
	return out
}

func frontQuirks(q config.Quirks) ftpfront.Quirks {
	return ftpfront.Quirks{
		ASCII: ftpfront.ASCIIMode(q.ASCII), MkdExisting: q.MkdExisting, MakeParents: frontSwitch(q.MakeParents),
		Listing: ftpfront.ListingForm(q.Listing), SingleLine: frontSwitch(q.SingleLine), Features: frontSwitch(q.Feat),
		NameCase: ftpfront.NameCase(q.NameCase), Backslashes: frontSwitch(q.Backslashes), Superfluous: q.Superfluous,
		StatLists: frontSwitch(q.StatLists), PassiveAddress: q.PassiveAddress,
	}
}

func frontSwitch(f config.Flag) ftpfront.Switch {
	switch f {
	case config.Yes:
		return ftpfront.On
	case config.No:
		return ftpfront.Off
	}
	return ftpfront.Unset
}
