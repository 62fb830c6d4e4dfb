// SPDX-License-Identifier: Apache-2.0

package confine

import (
	"cmp"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ftpgw/ftpgw/internal/config"
)

// Rules are what a process may still do once they are applied. Each list is sorted and without repetitions.
type Rules struct {
	Files   []string // to read, with what takes their place: see Apply
	Trees   []string // directories to read, with all below them
	Stores  []string // directories to read and write, with all below them
	Moves   []string // the same, and files are moved from one directory to another in them
	Sockets []string // directories of Unix sockets to connect to
	Listen  []config.PortRange
	Connect []config.PortRange // of TCP
	Send    []config.PortRange // of UDP
	// Abstract says that the service manager's socket is one without a file (unix(7)), so that these cannot be refused.
	Abstract bool
}

// Places and ports of the system.
const (
	timeZones     = "/usr/share/zoneinfo"
	networkState  = "/proc/sys/net" // the length of listen queues, and whether packets are forwarded
	journalSocket = "/run/systemd/journal/socket"
	portDomain    = 53
	portFTP       = 21
	portFTPData   = 20
)

// resolver are the files that tell how names are resolved. resolv.conf is replaced at any time.
func resolver() []string { return []string{"/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"} }

// authorities are where Go looks for the certificates of the system.
func authorities() []string {
	return []string{"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}
}

// For computes the rules for a configuration. Every attribute that names a file, a directory, a socket or a port has its line here.
// notify is the service manager's socket (sd_notify(3)), or "".
func For(cfg *config.Config, notify string) Rules {
	r := Rules{
		Files:  slices.Concat(cfg.Files, cfg.Lists),
		Trees:  []string{timeZones, networkState},
		Stores: []string{cfg.Audit.Dir, cfg.Gateway.StateDir},
		Listen: []config.PortRange{one(0)}, // what the kernel chooses: for data connections, and for those that have a source_address
	}
	r.read(cfg.Audit.SigningKey)
	if cfg.Spool != nil {
		r.Moves = append(r.Moves, cfg.Spool.Dir)
		r.read(cfg.Spool.Identity)
	}
	if r.Abstract = strings.HasPrefix(notify, "@"); !r.Abstract {
		r.socket(notify)
	}
	for _, z := range cfg.Zones {
		r.zone(z)
	}
	for _, c := range cfg.Conduits {
		r.conduit(c)
	}
	for _, s := range cfg.Audit.Sinks {
		r.sink(s)
	}
	return r.tidy()
}

func (r *Rules) zone(z config.Zone) {
	for _, file := range []string{z.TLS.Certificate, z.TLS.PrivateKey, z.TLS.ClientCA} {
		r.read(file)
	}
	r.Listen = append(r.Listen, one(z.Listen.Port()), z.PassivePorts)
	if z.Listen.Port() == portFTP {
		r.Listen = append(r.Listen, one(portFTPData)) // where active data connections come from
	}
	if z.ActivePorts.First > 0 {
		r.Connect = append(r.Connect, z.ActivePorts)
	}
}

func (r *Rules) conduit(c config.Conduit) {
	r.read(c.Identity)
	r.read(c.KnownHosts)
	r.socket(c.IdentityAgent)
	r.Connect = append(r.Connect, r.dial(c.Address)...)
}

func (r *Rules) sink(s config.Sink) {
	switch {
	case s.Type == config.SinkJournald:
		r.socket(journalSocket)
	case s.Type != config.SinkSyslog:
	case s.Transport == "udp":
		r.Send = append(r.Send, r.dial(s.Address)...)
	default:
		r.Connect = append(r.Connect, r.dial(s.Address)...)
		r.read(s.CA)
		if s.Transport == "tls" && s.CA == "" {
			r.Trees = append(r.Trees, authorities()...)
		}
	}
}

func (r *Rules) read(file string) {
	if file != "" {
		r.Files = append(r.Files, file)
	}
}

func (r *Rules) socket(file string) {
	if file != "" {
		r.Sockets = append(r.Sockets, filepath.Dir(file))
	}
}

// dial is the port of an address, host:port. For a host that is a name the resolver must be able to work.
func (r *Rules) dial(address string) []config.PortRange {
	host, text, err := net.SplitHostPort(address)
	port, numErr := strconv.ParseUint(text, 10, 16)
	if err != nil || numErr != nil {
		return nil // the configuration has no such address
	}
	if _, err := netip.ParseAddr(host); err != nil {
		r.Files = append(r.Files, resolver()...)
		r.Connect = append(r.Connect, one(portDomain))
		r.Send = append(r.Send, one(portDomain))
	}
	return []config.PortRange{one(uint16(port))}
}

func one(port uint16) config.PortRange { return config.PortRange{First: port, Last: port} }

// tidy sorts the lists and drops what is said twice.
func (r Rules) tidy() Rules {
	for _, list := range []*[]string{&r.Files, &r.Trees, &r.Stores, &r.Moves, &r.Sockets} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	for _, list := range []*[]config.PortRange{&r.Listen, &r.Connect, &r.Send} {
		*list = union(*list)
	}
	return r
}

// union joins ranges that touch or overlap.
func union(ranges []config.PortRange) []config.PortRange {
	slices.SortFunc(ranges, func(a, b config.PortRange) int { return cmp.Compare(a.First, b.First) })
	var out []config.PortRange
	for _, r := range ranges {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}
