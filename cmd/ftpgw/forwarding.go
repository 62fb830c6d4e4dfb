// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// forwardingPeriod is how often a running gateway looks whether the machine has begun to forward packets.
const forwardingPeriod = time.Minute

// checkForwarding says where the machine forwards IP packets past the gateway: nothing at all where zones and conduits are kept apart
// as they should be. proc is /proc.
//
// IPv4 forwards what comes in by an interface whose own switch is on; the one called "default" is for interfaces to come. In IPv6 only
// the switch of all interfaces counts, and force_forwarding of one (Linux 6.17); forwarding of one makes it answer as a router does.
func checkForwarding(proc fs.FS) ([]string, error) {
	var found []string
	read := 0
	for _, family := range []struct{ name, pattern string }{
		{"IPv4", "sys/net/ipv4/conf/*/forwarding"},
		{"IPv6", "sys/net/ipv6/conf/all/forwarding"},
		{"IPv6", "sys/net/ipv6/conf/*/force_forwarding"},
	} {
		files, err := fs.Glob(proc, family.pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := fs.ReadFile(proc, file)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the interface has gone meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("see whether packets are forwarded: %w", err)
			}
			read++
			device := path.Base(path.Dir(file))
			if strings.TrimSpace(string(text)) != "0" && device != "lo" {
				found = append(found, family.name+" "+device)
			}
		}
	}
	if read == 0 {
		return nil, errors.New("see whether packets are forwarded: the system does not tell")
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// startForwarding acts on what checkForwarding finds at the start, and returns what notices a change until its context ends. With no proc
// nobody looks.
func (a *appliance) startForwarding(proc fs.FS) (watch func(context.Context), err error) {
	if proc == nil {
		return func(context.Context) {}, nil
	}
	found, err := checkForwarding(proc)
	insist := a.cfg.Gateway.Forwarding == config.ForwardingRefuse
	switch {
	case err != nil && insist:
		return nil, err
	case err != nil:
		a.logger.Warn("nobody knows whether this machine forwards packets past the gateway", "error", err)
	case len(found) > 0:
		if err := a.noteForwarding(found); err != nil {
			return nil, err
		}
		if insist {
			return nil, withHint(fmt.Errorf("this machine forwards packets past the gateway (%s), and the configuration refuses that", strings.Join(found, ", ")),
				"sysctl net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
		}
	}
	return func(ctx context.Context) { a.watchForwarding(ctx, proc, found) }, nil
}

// noteForwarding tells the operator and the record.
func (a *appliance) noteForwarding(found []string) error {
	where := strings.Join(found, ", ")
	a.logger.Warn("this machine forwards packets past the gateway", "interfaces", where)
	return a.log.Note(audit.Record{Event: audit.ForwardingFound, Detail: map[string]string{"interfaces": where}})
}

// watchForwarding notices when the machine begins to forward packets while the gateway runs, until ctx ends.
func (a *appliance) watchForwarding(ctx context.Context, proc fs.FS, known []string) {
	ticker := time.NewTicker(forwardingPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		found, err := checkForwarding(proc)
		if err != nil || slices.Equal(found, known) {
			continue // what cannot be known was said at the start
		}
		known = found
		if len(found) == 0 {
			a.logger.Info("this machine forwards no packets any more")
			continue
		}
		if err := a.noteForwarding(found); err != nil {
			a.logger.Error("forwarding of packets is not on record", "error", err)
		}
	}
}
