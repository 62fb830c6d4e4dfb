// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// errProtocol says that EPRT names a network protocol that is neither IPv4 nor IPv6.
var errProtocol = errors.New("unknown network protocol")

// parsePort parses the argument of PORT: h1,h2,h3,h4,p1,p2, each a decimal number of one byte.
func parsePort(arg string) (netip.AddrPort, error) {
	fields := strings.Split(strings.TrimSpace(arg), ",")
	if len(fields) != 6 {
		return netip.AddrPort{}, fmt.Errorf("%d numbers instead of six", len(fields))
	}
	var b [6]byte
	for i, f := range fields {
		n, err := strconv.ParseUint(strings.TrimSpace(f), 10, 8)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("number %d: %w", i+1, err)
		}
		b[i] = byte(n)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])), nil
}

// parseExtendedPort parses the argument of EPRT: <d>protocol<d>address<d>port<d>, where d is any printable character, 1 is IPv4
// and 2 is IPv6.
func parseExtendedPort(arg string) (netip.AddrPort, error) {
	arg = strings.TrimSpace(arg)
	if arg == "" || arg[0] < 33 || arg[0] > 126 {
		return netip.AddrPort{}, errors.New("no delimiter")
	}
	fields := strings.Split(arg, arg[:1])
	if len(fields) != 5 || fields[0] != "" || fields[4] != "" {
		return netip.AddrPort{}, errors.New("not three fields between delimiters")
	}
	if fields[1] != "1" && fields[1] != "2" {
		return netip.AddrPort{}, errProtocol
	}
	addr, err := netip.ParseAddr(fields[2])
	switch {
	case err != nil:
		return netip.AddrPort{}, err
	case addr.Zone() != "", addr.Is4() != (fields[1] == "1"):
		return netip.AddrPort{}, errors.New("the address is not of the protocol named")
	}
	port, err := strconv.ParseUint(fields[3], 10, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}
