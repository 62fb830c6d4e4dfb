// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

var (
	// errBounce says that a device wants us to connect to somebody else (RFC 2577, 3).
	errBounce = errors.New("bounce refused")
	// errForeign says that what came is another protocol.
	errForeign = errors.New("not FTP")
	// errClear says that a device speaks in clear where the zone demands TLS.
	errClear = errors.New("the zone demands TLS")
	// errDowngrade says that a device wants to take protection back.
	errDowngrade = errors.New("protection is not given up")
	// errBehindAuth says that commands stood behind AUTH, in clear, to be taken for ones that came under TLS.
	errBehindAuth = errors.New("input behind AUTH was thrown away")
	// errStranger says that somebody else has connected to a device's passive port.
	errStranger = errors.New("data connection from another address refused")
)

// foreign reports whether a line is none of FTP, but the beginning of something that a browser, or somebody who makes a browser do
// it, sends: behind it would come a body in which an attacker can write any command (cross-protocol attacks).
func foreign(x *exchange) error {
	if x.verb != "" {
		return nil // a command of FTP
	}
	verb, args, _ := strings.Cut(x.secret.Reveal(), " ")
	verb = strings.ToUpper(verb)
	switch verb {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PRI":
		if strings.Contains(args, "HTTP/") || strings.HasPrefix(args, "/") || strings.HasPrefix(args, "*") {
			return fmt.Errorf("%w: a line of HTTP", errForeign)
		}
	case "HOST:", "REFERER:", "ORIGIN:", "USER-AGENT:", "CONTENT-LENGTH:", "CONTENT-TYPE:":
		return fmt.Errorf("%w: a header of HTTP", errForeign)
	}
	if strings.HasPrefix(verb, "SSH-2.0-") || strings.HasPrefix(verb, "SSH-1.") {
		return fmt.Errorf("%w: the greeting of SSH", errForeign)
	}
	return nil
}

// attack is what a cause means for the record.
type attack struct {
	cause error
	event audit.Event
	kind  string
}

// attacks are the causes that are put on record as security events besides the command, the particular before the general.
func attacks() []attack {
	return []attack{
		{errTooManyBad, audit.SecurityFlood, "bad_commands"},
		{errTooManyEarly, audit.SecurityFlood, "commands_before_login"},
		{errTooMuchAhead, audit.SecurityFlood, "ahead"},
		{errForeign, audit.SecurityProtocol, "foreign"},
		{errBounce, audit.SecurityBounce, "address"},
		{errNotResumed, audit.SecurityHijack, "session_reuse"},
		{errOtherCertificate, audit.SecurityHijack, "certificate"},
		{errClear, audit.SecurityTLS, "clear"},
		{errDowngrade, audit.SecurityTLS, "downgrade"},
		{errControlCharacter, audit.SecurityInjection, "control_character"},
		{errLineTooLong, audit.SecurityLimit, "line_length"},
		{errTooSlow, audit.SecurityLimit, "minimum_rate"},
		{gateway.ErrClimbs, audit.SecurityName, "traversal"},
		{gateway.ErrOutside, audit.SecurityName, "link"},
		{gateway.ErrTooMany, audit.SecurityLimit, "listing_entries"},
		{gateway.ErrBadName, audit.SecurityName, "name"},
	}
}

// tell puts on record what a reply answers, where it is an attack or a limit that was reached.
func (s *session) tell(r reply) {
	lines := 0
	if r.swallow && s.pending == nil {
		lines = s.swallow()
	}
	if r.cause == nil {
		return
	}
	for _, a := range attacks() {
		if errors.Is(r.cause, a.cause) {
			s.incident(a.event, a.kind, r.cause, lines)
			return
		}
	}
	var limit *limitError
	if errors.As(r.cause, &limit) {
		s.incident(audit.SecurityLimit, limit.name, r.cause, lines)
		return
	}
	if lines > 0 {
		s.incident(audit.SecurityFlood, "unanswered", r.cause, lines)
	}
}

// stranger is told of a data connection from an address that is not the device's.
func (s *session) stranger(from netip.Addr) {
	s.incident(audit.SecurityHijack, "data_connection", fmt.Errorf("%w: from %s", errStranger, from), 0)
}

// listens reports whether an address is one at which the gateway itself listens for devices.
func (f *Front) listens(to netip.AddrPort) bool {
	for _, z := range f.zones {
		at := z.Listen
		if z.listener != nil {
			at = netip.MustParseAddrPort(z.listener.Addr().String())
		}
		if at.Port() == to.Port() && (at.Addr().IsUnspecified() || at.Addr().Unmap() == to.Addr()) {
			return true
		}
	}
	return false
}

// presence is a device in a zone.
type presence struct {
	zone   string
	device string
}

// moveLocked counts a session that was before's as now's; both may be nil. It fails where now has as many sessions as it may.
func (f *Front) moveLocked(z *zone, before, now *Device) error {
	if before != nil {
		at := presence{z.Name, before.Name}
		if f.devices[at]--; f.devices[at] == 0 {
			delete(f.devices, at)
		}
	}
	if now == nil {
		return nil
	}
	at := presence{z.Name, now.Name}
	if limit := z.Limits.SessionsPerDevice; limit > 0 && f.devices[at] >= limit {
		return &limitError{"sessions_per_device", limit}
	}
	f.devices[at]++
	return nil
}
