// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// longest bounds every duration: whatever is longer than a day is a slip of the unit.
const longest = 24 * time.Hour

// parseDuration reads a positive duration in Go's syntax.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration; write a number with a unit, such as \"500ms\", \"30s\", \"5m\" or \"1h\"", text)
	case d <= 0:
		return 0, fmt.Errorf("the duration %s is not above zero", text)
	case d > longest:
		return 0, fmt.Errorf("the duration %s is longer than 24h", text)
	}
	return d, nil
}

// sizeUnits lists the units of sizes with their values in bytes: the SI's powers of 1000, and IEC 60027-2's powers of 1024.
func sizeUnits() map[string]int64 {
	return map[string]int64{
		"": 1, "B": 1,
		"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
}

// ParseSize reads a size such as "64MiB", "10 kB" or "4096" and returns it in bytes.
func ParseSize(text string) (int64, error) {
	digits := strings.TrimRightFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	unit := strings.TrimSpace(text[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("the size %q is too large", text)
	}
	if err != nil || n < 0 || strings.HasPrefix(digits, "+") {
		return 0, fmt.Errorf("%q is not a size; write a whole number with a unit, such as \"64MiB\" or \"10 kB\", or a number of bytes", text)
	}
	factor, ok := sizeUnits()[unit]
	if !ok {
		return 0, fmt.Errorf("%q is not a unit of sizes; B is a byte, kB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB are powers of 1024", unit)
	}
	if n > math.MaxInt64/factor {
		return 0, fmt.Errorf("the size %q is too large", text)
	}
	return n * factor, nil
}

// parsePrefix reads an address range in CIDR notation (RFC 4632, RFC 4291 section 2.3).
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.Prefix{}, fmt.Errorf("%q has no prefix length; for this one address write \"%s/%d\"", text, a.WithZone(""), a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not an address range in CIDR notation, such as \"10.7.0.0/24\"", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 range written as IPv6; write it as IPv4", text)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has host bits set; write \"%s\" for the range, or \"%s/%d\" for the one address",
			text, p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Len is the number of ports.
func (r PortRange) Len() int { return int(r.Last) - int(r.First) + 1 }

// Contains reports whether the port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }

// String is the range as it is written.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

func parsePortRange(text string) (PortRange, error) {
	first, last, ok := strings.Cut(text, "-")
	a, errA := strconv.Atoi(strings.TrimSpace(first))
	b, errB := strconv.Atoi(strings.TrimSpace(last))
	switch {
	case !ok || errA != nil || errB != nil:
		return PortRange{}, fmt.Errorf("%q is not a range of ports; write two numbers, such as \"50000-50099\"", text)
	case a < 1 || a > math.MaxUint16 || b < 1 || b > math.MaxUint16:
		return PortRange{}, fmt.Errorf("the range %s leaves the ports 1 to 65535", text)
	case a > b:
		return PortRange{}, fmt.Errorf("the range %s is upside down; write \"%d-%d\"", text, b, a)
	}
	return PortRange{First: uint16(a), Last: uint16(b)}, nil
}

// parseListen reads the address of a listener. Names are refused: which network a zone listens on must not hang on a resolver.
func parseListen(text string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(text)
	if err == nil {
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
	}
	if host, _, e := net.SplitHostPort(text); e == nil {
		if host == "" {
			return netip.AddrPort{}, fmt.Errorf("%q names no address; write \"0.0.0.0%s\" to listen on all of them", text, text)
		}
		if _, e := netip.ParseAddr(host); e != nil {
			return netip.AddrPort{}, fmt.Errorf("%q is not an IP address; names are not looked up here", host)
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%q is not an IP address and a port, such as \"10.7.0.1:21\" or \"[fd00::1]:21\"", text)
}

// checkDial checks the address of a server; its host may be a name.
func checkDial(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsFunc(host, unprintable) || strings.ContainsAny(host, " /@") {
		return fmt.Errorf("%q is not a host and a port, such as \"sftp.example.org:22\"", text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > math.MaxUint16 {
		return fmt.Errorf("the port %q is not a number from 1 to 65535", port)
	}
	return nil
}

// checkLine checks a text that ends up in replies, records and logs: one line, not empty, nothing invisible.
func checkLine(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("the text is empty")
	case strings.ContainsFunc(text, unprintable):
		return errors.New("the text must be one line without control characters")
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// checkLabel checks the label of a block. Labels appear in records, commands and patterns, so they are kept plain.
func checkLabel(label string) error {
	const most = 64
	for i, r := range label {
		plain := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !plain && (i == 0 || !strings.ContainsRune("._-@+", r)) || r == unicode.ReplacementChar {
			return fmt.Errorf("the label %q must start with a letter or digit and contain only letters, digits and . _ - @ +", label)
		}
	}
	switch {
	case label == "":
		return errors.New("the label is empty")
	case len(label) > most:
		return fmt.Errorf("the label is longer than %d bytes", most)
	}
	return nil
}
