// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode"
)

// leastActivePort is the first that a device may name: those below belong to the system services of whoever has the address.
const leastActivePort = 1024

// activePorts is a range of ports, or the zero range for none.
func (b body) activePorts() PortRange {
	const name = "active_ports"
	text, ok := b.text(name)
	if !ok || text.text == "none" {
		return PortRange{}
	}
	r, err := parsePortRange(text.text)
	switch {
	case err != nil:
		b.fail(text.at, "Invalid "+name, "%s. Write \"none\" to refuse active data connections.", capital(err.Error()))
	case r.First < leastActivePort:
		b.fail(text.at, "Invalid "+name, "The range %s begins below %d: these ports belong to system services, to which no device may send the gateway.", r, leastActivePort)
	}
	return r
}

// networkInterface is the name of a network interface. Whether this machine has it is not looked at: it may come up later.
func (b body) networkInterface() string {
	const name = "interface"
	text, ok := b.text(name)
	if !ok {
		return ""
	}
	if err := checkInterface(text.text); err != nil {
		b.invalid(name, text, err)
	}
	return text.text
}

// checkInterface holds a name to what Linux takes for one: IFNAMSIZ with its NUL, no slash, no blank.
func checkInterface(name string) error {
	const most = 15 // bytes
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is not the name of a network interface", name)
	case len(name) > most:
		return fmt.Errorf("the name %q is longer than the %d bytes that an interface's may have", name, most)
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == ':' || unicode.IsSpace(r) || unprintable(r) }):
		return fmt.Errorf("the name %q has a character that no interface's has", name)
	}
	return nil
}

// sourceAddress is an address of this machine, of the family of the server's where that is known.
func (b body) sourceAddress(server string) netip.Addr {
	const name = "source_address"
	text, ok := b.text(name)
	if !ok {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text.text)
	switch {
	case err != nil:
		b.fail(text.at, "Invalid "+name, "%q is not an IP address.", text.text)
		return netip.Addr{}
	case addr.IsUnspecified() || addr.IsMulticast():
		b.fail(text.at, "Invalid "+name, "%s is no address that one machine has.", addr)
		return netip.Addr{}
	}
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return addr // reported already
	}
	if to, err := netip.ParseAddr(host); err == nil && to.Unmap().Is4() != addr.Unmap().Is4() {
		b.fail(text.at, "Invalid "+name, "From %s, %s cannot be dialled: one of them is IPv4, the other IPv6.", addr, to)
	}
	return addr
}
