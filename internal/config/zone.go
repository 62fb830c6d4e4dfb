// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Zone is one network side where devices speak FTP.
type Zone struct {
	Name         string
	Listen       netip.AddrPort // port 0: the kernel chooses
	Interface    string         // the only one that devices come in by; "" for any
	PassivePorts PortRange
	ActivePorts  PortRange // that a device may name in PORT and EPRT; the zero range: none
	// PassiveAddress is what the 227 reply to PASV says. The zero Addr stands for the local address of the control connection.
	PassiveAddress netip.Addr
	IdleTimeout    time.Duration // between two commands
	LoginTimeout   time.Duration // from the connection to a successful login
	DataTimeout    time.Duration // until a data connection stands
	StallTimeout   time.Duration // without a byte on a data connection
	// Settle is how long after the end of an upload's data the control connection must still stand; 0 is for a measured time.
	Settle   time.Duration
	Greeting string // text of the 220 reply
	// RefuseWithoutConduit: no device logs in while its conduit is down.
	RefuseWithoutConduit bool
	OnFailure            string // of the audit log: OnFailureStop or OnFailureContinue
	TLS                  ZoneTLS
	Quirks               Quirks // before login, and where a device leaves something open
	Limits               ZoneLimits
}

// What a zone does when the audit log has failed.
const (
	OnFailureStop     = "stop"
	OnFailureContinue = "continue"
)

func zoneSpec() blockSpec {
	return blockSpec{
		name: "zone", label: "name of the zone", count: "one or more",
		meaning: "A network side where devices speak FTP, and the listener that waits for them there.",
		attributes: append([]attribute{
			{name: "listen", kind: kindAddressPort, required: true, example: `"10.7.0.1:21"`,
				meaning: "Where the gateway listens for control connections: an IP address of this machine and a port. Names are not accepted. Port 0 lets the kernel choose."},
			{name: "passive_ports", kind: kindPortRange, required: true, example: `"50000-50099"`,
				meaning: "The ports for passive data connections (PASV, EPSV). A port is in use from PASV or EPSV to the end of the transfer, or for data_timeout where none follows; a firewall in the zone must let them pass."},
			{name: "active_ports", kind: kindPortRange, fallback: "1024-65535", example: `"none"`,
				meaning: "The ports, 1024 or above, at which devices may wait for active data connections (PORT, EPRT), or `\"none\"`. The gateway's sandbox lets it connect to these ports and to those of conduits and sinks: the narrower the range, the less a gateway that was taken over can reach."},
			{name: "interface", kind: kindText, absent: "connections may come in by any interface", example: `"eth1"`,
				meaning: "The network interface of the zone. Without it, Linux also accepts a connection to the address of this zone that comes in by the interface of another one."},
			{name: "passive_address", kind: kindAddress, absent: "the address at which the device reached the gateway", example: `"192.0.2.10"`,
				meaning: "The IPv4 address that the reply to PASV names, where devices reach the gateway through address translation."},
			{name: "idle_timeout", kind: kindDuration, fallback: "5m", example: `"10m"`,
				meaning: "A session without a command and without a transfer ends after this time."},
			{name: "login_timeout", kind: kindDuration, fallback: "60s", example: `"30s"`,
				meaning: "A connection that has not logged in ends after this time, or with its fifth failed login."},
			{name: "data_timeout", kind: kindDuration, fallback: "15s", example: `"10s"`,
				meaning: "A transfer fails when its data connection does not stand after this time."},
			{name: "stall_timeout", kind: kindDuration, fallback: "60s", example: `"2m"`,
				meaning: "A transfer fails when no byte moves on its data connection for this time."},
			{name: "settle", kind: kindText, fallback: "auto", example: `"100ms"`,
				meaning: "An upload is published only if the control connection still stands this long after the end of the data, since a device whose program dies closes both. `\"auto\"`: 20 ms, or two round trips of the control connection where that is more. The time passes while the file is flushed; it is not waited for where the size that has come was announced by ALLO or is known from an `expect` block. See [completeness](completeness.md)."},
			{name: "conduit_down", kind: kindText, fallback: "login", example: `"refuse"`,
				meaning: "What a device is told at login while a conduit is down that a rule about it leads to. `\"login\"`: it logs in, and is told 450 when it wants to do something that needs the conduit. `\"refuse\"`: 421 after the password, for devices that take a 450 for a reason to throw a file away."},
			{name: "greeting", kind: kindText, fallback: "FTP service ready.", example: `"Station 12 file gateway"`,
				meaning: "The text that a device is greeted with (the 220 reply). One line."},
			{name: "on_failure", kind: kindText, fallback: OnFailureStop, example: `"continue"`,
				meaning: "What devices of this zone get when the audit log cannot be written. `\"stop\"`: a 421, and nothing moves. `\"continue\"`: they go on without a record, and the operator log raises an alarm."},
			asciiAttribute(),
			profileAttribute("before login and for whatever a device leaves open"),
		}, tlsAttributes()...),
		blocks: []blockSpec{zoneLimitsSpec()},
	}
}

// zoneEntry is a Zone with the place of its block and the block's attributes.
type zoneEntry struct {
	Zone
	block body
}

func (d *decoder) zone(block *hcl.Block) zoneEntry {
	b := d.open(zoneSpec(), block.Body, block.Labels[0], block.DefRange)
	z := zoneEntry{block: b}
	z.Name = b.label
	if text, ok := b.text("listen"); ok {
		var err error
		if z.Listen, err = parseListen(text.text); err != nil {
			b.invalid("listen", text, err)
		}
	}
	if text, ok := b.text("passive_ports"); ok {
		var err error
		if z.PassivePorts, err = parsePortRange(text.text); err != nil {
			b.invalid("passive_ports", text, err)
		}
	}
	z.ActivePorts = b.activePorts()
	z.Interface = b.networkInterface()
	z.PassiveAddress = b.passiveAddress()
	z.IdleTimeout = b.duration("idle_timeout")
	z.LoginTimeout = b.duration("login_timeout")
	z.DataTimeout = b.duration("data_timeout")
	z.StallTimeout = b.duration("stall_timeout")
	z.Settle = b.settle("settle")
	z.RefuseWithoutConduit = b.refuse("conduit_down")
	z.Greeting = b.line("greeting")
	z.TLS = b.tls()
	z.Limits = b.zoneLimits()
	if text, ok := b.text("on_failure"); ok {
		z.OnFailure = text.text
		if z.OnFailure != OnFailureStop && z.OnFailure != OnFailureContinue {
			b.fail(text.at, "Invalid on_failure", "%q is neither \"stop\" nor \"continue\".", text.text)
		}
	}
	z.Quirks = Quirks{ASCII: b.ascii(), PassiveAddress: z.PassiveAddress}.or(b.fromProfile())
	return z
}

// refuse reports whether devices are refused; the other word lets them log in.
func (b body) refuse(name string) bool {
	const login, refuse = "login", "refuse"
	text, ok := b.text(name)
	if ok && text.text != login && text.text != refuse {
		b.fail(text.at, "Invalid "+name, "%q is nothing that can be done. %s", text.text, Suggest(text.text, "ways", []string{login, refuse}))
	}
	return ok && text.text == refuse
}

// settle is a duration, or 0 for one that is measured.
func (b body) settle(name string) time.Duration {
	text, ok := b.text(name)
	if !ok || text.text == "auto" {
		return 0
	}
	d, err := parseDuration(text.text)
	if err != nil {
		b.fail(text.at, "Invalid "+name, "%s. Write \"auto\" for a measured time.", capital(err.Error()))
	}
	return d
}

// compareZones finds zones that get in each other's way: only one of two listeners on the same port could be opened.
func (d *decoder) compareZones(zones []zoneEntry) {
	for i, z := range zones {
		if !z.Listen.IsValid() {
			continue
		}
		if z.PassivePorts.First > 0 && z.PassivePorts.Contains(z.Listen.Port()) {
			d.fail(z.block.valueRange("passive_ports"), "Overlapping ports",
				"The range %s contains the port %d on which zone %q itself listens.", z.PassivePorts, z.Listen.Port(), z.Name)
		}
		for _, earlier := range zones[:i] {
			if earlier.Listen.IsValid() && sameAddress(z.Listen.Addr(), earlier.Listen.Addr()) {
				d.compareTwoZones(z, earlier)
			}
		}
	}
}

func (d *decoder) compareTwoZones(z, earlier zoneEntry) {
	at := place(earlier.block.header)
	if z.Listen.Port() != 0 && z.Listen.Port() == earlier.Listen.Port() {
		d.fail(z.block.valueRange("listen"), "Duplicate listen", "Zone %q at %s already listens on %s.", earlier.Name, at, earlier.Listen)
	}
	a, b := z.PassivePorts, earlier.PassivePorts
	if a.First == 0 || b.First == 0 {
		return
	}
	switch {
	case a.First <= b.Last && b.First <= a.Last:
		d.fail(z.block.valueRange("passive_ports"), "Overlapping ports",
			"The range %s overlaps %s of zone %q at %s, on the same address.", a, b, earlier.Name, at)
	case a.Contains(earlier.Listen.Port()):
		d.fail(z.block.valueRange("passive_ports"), "Overlapping ports",
			"The range %s contains the port %d on which zone %q at %s listens, on the same address.", a, earlier.Listen.Port(), earlier.Name, at)
	case b.Contains(z.Listen.Port()):
		d.fail(z.block.valueRange("listen"), "Overlapping ports",
			"The port %d is in the passive range %s of zone %q at %s, on the same address.", z.Listen.Port(), b, earlier.Name, at)
	}
}

// sameAddress reports whether listeners on a and b would meet: the unspecified IPv4 address stands for all of IPv4, the
// unspecified IPv6 address for everything.
func sameAddress(a, b netip.Addr) bool {
	covers := func(x, y netip.Addr) bool { return x.IsUnspecified() && (x.Is6() || y.Is4()) }
	return a == b || covers(a, b) || covers(b, a)
}
