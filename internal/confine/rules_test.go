// SPDX-License-Identifier: Apache-2.0

package confine

import (
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/internal/config"
)

// least is a configuration that names as little as can be.
func least() *config.Config {
	return &config.Config{
		Files:    []string{"/etc/ftpgw/ftpgw.hcl"},
		Gateway:  config.Gateway{StateDir: "/var/lib/ftpgw/state"},
		Audit:    config.Audit{Dir: "/var/lib/ftpgw/audit", SigningKey: "/var/lib/ftpgw/audit/checkpoint.key"},
		Zones:    []config.Zone{{Listen: netip.MustParseAddrPort("10.7.0.1:2121"), PassivePorts: config.PortRange{First: 50000, Last: 50099}}},
		Conduits: []config.Conduit{{Address: "192.0.2.1:22", Identity: "/etc/ftpgw/keys/id", HostKey: "ssh-ed25519 AAAA"}},
	}
}

func span(first, last uint16) config.PortRange { return config.PortRange{First: first, Last: last} }

// Each row says what one thing in a configuration adds to the rules of the least one, and that it adds nothing else.
func TestRulesFollowFromTheConfiguration(t *testing.T) {
	resolver := Rules{
		Files:   []string{"/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"},
		Connect: []config.PortRange{span(53, 53)}, Send: []config.PortRange{span(53, 53)},
	}
	for name, test := range map[string]struct {
		change func(*config.Config)
		notify string
		more   Rules
	}{
		"nothing":         {},
		"directory":       {change: func(c *config.Config) { c.Files = append(c.Files, "/etc/ftpgw/more.hcl") }, more: Rules{Files: []string{"/etc/ftpgw/more.hcl"}}},
		"list of digests": {change: func(c *config.Config) { c.Lists = []string{"/etc/ftpgw/sha256"} }, more: Rules{Files: []string{"/etc/ftpgw/sha256"}}},
		"signing key":     {change: func(c *config.Config) { c.Audit.SigningKey = "/etc/key" }, more: Rules{Files: []string{"/etc/key"}}},
		"spool":           {change: func(c *config.Config) { c.Spool = &config.Spool{Dir: "/var/spool/ftpgw", Identity: "/run/keys/age"} }, more: Rules{Moves: []string{"/var/spool/ftpgw"}, Files: []string{"/run/keys/age"}}},
		"port 21":         {change: func(c *config.Config) { c.Zones[0].Listen = netip.MustParseAddrPort("10.7.0.1:21") }, more: Rules{Listen: []config.PortRange{span(20, 21)}}},
		"another zone": {change: func(c *config.Config) {
			c.Zones = append(c.Zones, config.Zone{Listen: netip.MustParseAddrPort("[::1]:2122"), PassivePorts: span(50100, 50200)})
		}, more: Rules{Listen: []config.PortRange{span(2122, 2122), span(50100, 50200)}}},
		"active ports":     {change: func(c *config.Config) { c.Zones[0].ActivePorts = span(4000, 5000) }, more: Rules{Connect: []config.PortRange{span(4000, 5000)}}},
		"all active ports": {change: func(c *config.Config) { c.Zones[0].ActivePorts = span(1024, 65535) }, more: Rules{Connect: []config.PortRange{span(1024, 65535)}}},
		"certificates": {change: func(c *config.Config) {
			c.Zones[0].TLS = config.ZoneTLS{On: true, Certificate: "/etc/tls/a.pem", PrivateKey: "/etc/tls/a.key", ClientCA: "/etc/ca/b.pem"}
		}, more: Rules{Files: []string{"/etc/tls/a.pem", "/etc/tls/a.key", "/etc/ca/b.pem"}}},
		"known hosts":     {change: func(c *config.Config) { c.Conduits[0].KnownHosts = "/etc/ftpgw/known_hosts" }, more: Rules{Files: []string{"/etc/ftpgw/known_hosts"}}},
		"agent":           {change: func(c *config.Config) { c.Conduits[0].IdentityAgent = "/run/agent/sock" }, more: Rules{Sockets: []string{"/run/agent"}}},
		"another conduit": {change: func(c *config.Config) { c.Conduits = append(c.Conduits, config.Conduit{Address: "[2001:db8::1]:2022"}) }, more: Rules{Connect: []config.PortRange{span(2022, 2022)}}},
		"conduit by name": {change: func(c *config.Config) { c.Conduits[0].Address = "sftp.example:22" }, more: resolver},
		"journal":         {change: func(c *config.Config) { c.Audit.Sinks = []config.Sink{{Type: config.SinkJournald}} }, more: Rules{Sockets: []string{"/run/systemd/journal"}}},
		"stdout":          {change: func(c *config.Config) { c.Audit.Sinks = []config.Sink{{Type: config.SinkStdout}} }},
		"syslog over UDP": {change: func(c *config.Config) {
			c.Audit.Sinks = []config.Sink{{Type: config.SinkSyslog, Transport: "udp", Address: "192.0.2.9:514"}}
		}, more: Rules{Send: []config.PortRange{span(514, 514)}}},
		"syslog over TCP": {change: func(c *config.Config) {
			c.Audit.Sinks = []config.Sink{{Type: config.SinkSyslog, Transport: "tcp", Address: "192.0.2.9:514"}}
		}, more: Rules{Connect: []config.PortRange{span(514, 514)}}},
		"syslog over TLS": {change: func(c *config.Config) {
			c.Audit.Sinks = []config.Sink{{Type: config.SinkSyslog, Transport: "tls", Address: "192.0.2.9:6514", CA: "/etc/siem.pem"}}
		}, more: Rules{Files: []string{"/etc/siem.pem"}, Connect: []config.PortRange{span(6514, 6514)}}},
		"syslog with the system's authorities": {change: func(c *config.Config) {
			c.Audit.Sinks = []config.Sink{{Type: config.SinkSyslog, Transport: "tls", Address: "192.0.2.9:6514"}}
		}, more: Rules{Trees: authorities(), Connect: []config.PortRange{span(6514, 6514)}}},
		"service manager":           {notify: "/run/systemd/notify", more: Rules{Sockets: []string{"/run/systemd"}}},
		"service manager in memory": {notify: "@notify", more: Rules{Abstract: true}},
	} {
		want := Rules{
			Files:  append([]string{"/etc/ftpgw/ftpgw.hcl", "/etc/ftpgw/keys/id", "/var/lib/ftpgw/audit/checkpoint.key"}, test.more.Files...),
			Trees:  append([]string{"/proc/sys/net", "/usr/share/zoneinfo"}, test.more.Trees...),
			Stores: []string{"/var/lib/ftpgw/audit", "/var/lib/ftpgw/state"}, Moves: test.more.Moves, Sockets: test.more.Sockets,
			Listen:  append([]config.PortRange{span(0, 0), span(2121, 2121), span(50000, 50099)}, test.more.Listen...),
			Connect: append([]config.PortRange{span(22, 22)}, test.more.Connect...),
			Send:    test.more.Send, Abstract: test.more.Abstract,
		}
		cfg := least()
		if test.change != nil {
			test.change(cfg)
		}
		if name == "port 21" {
			want.Listen = slices.DeleteFunc(want.Listen, func(r config.PortRange) bool { return r == span(2121, 2121) })
		}
		if name == "signing key" {
			want.Files = slices.DeleteFunc(want.Files, func(f string) bool { return f == "/var/lib/ftpgw/audit/checkpoint.key" })
		}
		if got := For(cfg, test.notify); !reflect.DeepEqual(got, want.tidy()) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want.tidy())
		}
	}
}

func TestUnion(t *testing.T) {
	got := union([]config.PortRange{span(65535, 65535), span(10, 20), span(21, 30), span(15, 16), span(40, 50), span(0, 0)})
	want := []config.PortRange{span(0, 0), span(10, 30), span(40, 50), span(65535, 65535)}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// An attribute that names a file, a directory, a socket or an address to connect to must be thought of in For. One that this test
// does not know fails it: write its line in For and in the table above, then its name here.
func TestEveryPathAndAddressIsThoughtOf(t *testing.T) {
	known := map[string]string{
		"zone":    "listen passive_address certificate private_key client_ca",
		"conduit": "address source_address identity identity_agent known_hosts root",
		"audit":   "dir signing_key",
		"sink":    "address ca",
		"device":  "home from",
		"content": "sha256",
		"gateway": "state_dir control", // the socket is opened before, and left where its directory cannot be written
		"spool":   "dir age_identity",
		"test":    "from", // of a policy; nothing is done with it
		"quirks":  "passive_address", "profile": "passive_address",
	}
	reference, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	header := regexp.MustCompile("^#+ `([a-z_]+)")
	row := regexp.MustCompile("^\\| `([a-z_0-9]+)` \\| (path|address and port|address) \\|")
	block, found := "", 0
	for line := range strings.Lines(string(reference)) {
		if m := header.FindStringSubmatch(line); m != nil {
			block = m[1]
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		found++
		if !slices.Contains(strings.Fields(known[block]), m[1]) {
			t.Errorf("%s in the block %s is a %s: does the sandbox allow what the gateway does with it? See For", m[1], block, m[2])
		}
	}
	if found < 15 {
		t.Errorf("%d rows of the reference are about paths and addresses", found)
	}
}
