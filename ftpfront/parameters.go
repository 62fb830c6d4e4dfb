// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ftpgw/ftpgw/policy"
)

// type_ sets the representation type (RFC 959, 3.1.1). Type A is taken because devices insist on it, and is on record with the
// transfer; what it does to the bytes is for the quirks to say, and by default it is nothing: a conversion would corrupt whatever
// is not text.
func (s *session) type_(_ context.Context, x *exchange) reply {
	switch strings.Join(strings.Fields(strings.ToUpper(x.args)), " ") {
	case "A", "A N":
		if s.quirks.ASCII == Refuse {
			return answer(504, "Type A is not offered here, use TYPE I.")
		}
		s.ascii = true
		return answer(200, "Type set to A.")
	case "I", "L 8", "L8":
		s.ascii = false
		return answer(200, "Type set to I.")
	}
	return answer(504, "Type not implemented.")
}

// typeName is the representation type for records.
func (s *session) typeName() string {
	if s.ascii {
		return "A"
	}
	return "I"
}

// structure is the file structure for records and STAT.
func (s *session) structure() string {
	if s.records {
		return "R"
	}
	return "F"
}

// stru sets the file structure (RFC 959, 3.1.2). Pages are for TOPS-20.
func (s *session) stru(_ context.Context, x *exchange) reply {
	switch structure := strings.ToUpper(strings.TrimSpace(x.args)); structure {
	case "F", "R":
		s.records = structure == "R"
		return answer(200, "Structure set to "+structure+".")
	}
	return answer(504, "Structure not implemented.")
}

func (s *session) mode(_ context.Context, x *exchange) reply {
	if strings.EqualFold(strings.TrimSpace(x.args), "S") {
		return answer(200, "Mode set to S.")
	}
	return answer(504, "Mode not implemented.")
}

// allo remembers how many bytes the device is about to send (RFC 959, 4.1.3: "n", or "n R m" with the largest record).
func (s *session) allo(_ context.Context, x *exchange) reply {
	fields := strings.Fields(x.args)
	if len(fields) != 1 && !(len(fields) == 3 && strings.EqualFold(fields[1], "R")) {
		return answer(501, "Invalid size.")
	}
	for i := 0; i < len(fields); i += 2 {
		if n, err := strconv.ParseInt(fields[i], 10, 64); err != nil || n < 0 {
			return answer(501, "Invalid size.")
		}
	}
	s.allocated, _ = strconv.ParseInt(fields[0], 10, 64) // parsed above
	return answer(200, "Size noted.")
}

// rest_ remembers where the next transfer begins (RFC 3659, 5).
func (s *session) rest_(_ context.Context, x *exchange) reply {
	n, err := strconv.ParseInt(strings.TrimSpace(x.args), 10, 64)
	if err != nil || n < 0 {
		return answer(501, "Invalid restart position.")
	}
	if n > 0 && !s.form().verbatim() {
		return answer(504, "Restart needs TYPE I and STRU F.")
	}
	s.restart = n
	return answer(350, "Restart position noted.")
}

// takeParameters returns REST's and ALLO's values for the transfer that begins, and forgets them.
func (s *session) takeParameters() (restart, allocated int64) {
	restart, allocated = s.restart, s.allocated
	s.restart, s.allocated = 0, policy.SizeUnknown
	return restart, allocated
}

// pasv answers with six numbers (RFC 959, 4.1.2), which have no room for an IPv6 address.
func (s *session) pasv(context.Context, *exchange) reply {
	if s.epsvOnly {
		return answer(503, "EPSV ALL is in force.")
	}
	shown := cmp.Or(s.quirks.PassiveAddress, s.zone.PassiveAddress, s.local)
	if !shown.Is4() {
		return answer(502, "PASV is for IPv4, use EPSV.")
	}
	port, err := s.listenForData()
	if err != nil {
		return failure(beforeTransfer, err)
	}
	a := shown.As4()
	return answer(227, fmt.Sprintf("Entering Passive Mode (%d,%d,%d,%d,%d,%d).", a[0], a[1], a[2], a[3], port>>8, port&0xff))
}

// epsv answers with a port only (RFC 2428, 3).
func (s *session) epsv(_ context.Context, x *exchange) reply {
	protocol := "1"
	if s.local.Is6() {
		protocol = "2"
	}
	switch arg := strings.ToUpper(strings.TrimSpace(x.args)); arg {
	case "ALL":
		s.epsvOnly = true
		return answer(200, "EPSV ALL noted.")
	case "", protocol:
	case "1", "2":
		return answer(522, "Network protocol not supported, use ("+protocol+").")
	default:
		return answer(501, "Invalid network protocol.")
	}
	port, err := s.listenForData()
	if err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(229, fmt.Sprintf("Entering Extended Passive Mode (|||%d|).", port))
}

// listenForData opens a passive port in place of the endpoint that was there.
func (s *session) listenForData() (uint16, error) {
	s.closeEndpoint()
	leave, err := s.visit.takePort()
	if err != nil {
		return 0, err
	}
	l, release, err := s.zone.ports.listen(s.local)
	if err != nil {
		leave()
		return 0, err
	}
	p := &passive{
		listener: l, release: func() { release(); leave() }, peer: s.who.Peer.Addr(),
		timeout: s.zone.DataTimeout, progress: s.zone.progress(), stranger: s.stranger, logger: s.log,
	}
	p.prepare()
	s.endpoint = p
	return uint16(l.Addr().(*net.TCPAddr).Port), nil
}

// port takes the device's address in six numbers (RFC 959, 4.1.2).
func (s *session) port(_ context.Context, x *exchange) reply {
	to, err := parsePort(x.args)
	if err != nil {
		return answer(501, "Invalid address.").because(err)
	}
	return s.connectForData(to)
}

// eprt takes the device's address in the form of RFC 2428, 2.
func (s *session) eprt(_ context.Context, x *exchange) reply {
	to, err := parseExtendedPort(x.args)
	switch {
	case errors.Is(err, errProtocol):
		return answer(522, "Network protocol not supported, use (1,2).").because(err)
	case err != nil:
		return answer(501, "Invalid address.").because(err)
	}
	return s.connectForData(to)
}

// connectForData accepts the device's own address and an unprivileged port only: anything else would let a device have us connect
// to others in its zone, the bounce attack (RFC 2577, 3, which also gives the 504).
func (s *session) connectForData(to netip.AddrPort) reply {
	switch {
	case s.epsvOnly:
		return answer(503, "EPSV ALL is in force.")
	case to.Addr() != s.who.Peer.Addr():
		return answer(504, "Address refused.").because(fmt.Errorf("%w: data connection to %s asked for by %s", errBounce, to, s.who.Peer.Addr()))
	case to.Port() < 1024:
		return answer(504, "Address refused.").because(fmt.Errorf("%w: data connection to privileged port %d asked for", errBounce, to.Port()))
	case !s.zone.ActivePorts.contains(to.Port()):
		return answer(504, "Address refused.").because(fmt.Errorf("%w: data connection to port %d asked for, which is not in the zone's active_ports", errBounce, to.Port()))
	case s.front.listens(to):
		return answer(504, "Address refused.").because(fmt.Errorf("%w: data connection to the gateway's own %s asked for", errBounce, to))
	}
	s.closeEndpoint()
	s.endpoint = &active{
		to: to, from: netip.AddrPortFrom(s.local, s.zone.dataPort()), device: s.zone.Interface,
		timeout: s.zone.DataTimeout, progress: s.zone.progress(),
	}
	return answer(200, "Address noted.")
}

// closeEndpoint gives up what PASV or PORT prepared.
func (s *session) closeEndpoint() {
	if s.endpoint == nil {
		return
	}
	if err := s.endpoint.Close(); err != nil {
		s.log.Debug("close of a data endpoint", "error", err)
	}
	s.endpoint = nil
}
