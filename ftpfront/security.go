// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// protection is the TLS of one session, from the handshake of its control connection on.
type protection struct {
	state   tls.ConnectionState
	data    *tls.Config // for data connections
	sized   bool        // PBSZ was sent
	private bool        // PROT P is in force
	bare    atomic.Bool // the last data connection ended without a close_notify of the device
}

// auth begins TLS (RFC 4217, 4). The old names SSL and TLS-P mean that data connections are protected from the start, TLS and TLS-C
// that they are not until PROT P. Whoever was logged in has to log in again (RFC 2228, 3).
func (s *session) auth(ctx context.Context, x *exchange) reply {
	name := strings.ToUpper(strings.TrimSpace(x.secret.Reveal()))
	private, known := mechanism(name)
	switch {
	case s.zone.TLS == nil:
		return absent(s, ctx, x)
	case name == "":
		return answer(501, "Argument missing.")
	case s.tls != nil:
		return answer(503, "The connection is protected already.")
	case !known:
		return answer(504, "Security mechanism not supported.")
	}
	discarded, err := s.discardInput()
	if err != nil {
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	s.logout()
	r := answer(234, "Proceed with the TLS handshake.")
	r.then = func() error { return s.protect(ctx, "AUTH "+name, private, discarded) }
	return r
}

// mechanism knows the arguments of AUTH that begin TLS, and whether data connections are protected with it from the start.
func mechanism(name string) (private, known bool) {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "TLS", "TLS-C":
		return false, true
	case "SSL", "TLS-P":
		return true, true
	}
	return false, false
}

// discardInput throws away what has arrived behind the current line, and returns how many bytes that was. What was sent in clear
// must not be executed as if it had come over TLS: somebody in between may have put it there (the attack of CVE-2011-0411).
func (s *session) discardInput() (n int, err error) {
	for _, a := range s.queue {
		n += a.times * (a.line.Len() + len("\r\n"))
	}
	s.queue = nil
	if s.pending != nil { // a read that began during a transfer would swallow the device's handshake
		if err := s.conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
			return n, fmt.Errorf("interrupt a read: %w", err)
		}
		res := <-s.pending
		s.pending = nil
		var ne net.Error
		if res.err != nil && !(errors.As(res.err, &ne) && ne.Timeout()) &&
			!errors.Is(res.err, errLineTooLong) && !errors.Is(res.err, errControlCharacter) {
			return n, res.err
		}
		n += len(s.lines.line)
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return n, fmt.Errorf("go on after an interrupted read: %w", err)
		}
	}
	return n + s.lines.r.Buffered(), nil
}

// protect carries out the handshake on the control connection and puts its outcome on record. The device has as long for it as
// for a line before login. An error ends the session: what is on the connection then is neither TLS nor FTP.
func (s *session) protect(ctx context.Context, how string, private bool, discarded int) error {
	control, data := configurations(s.zone.tls.Load())
	ctx, cancel := context.WithTimeout(ctx, s.zone.LoginTimeout)
	defer cancel()
	conn := tls.Server(s.conn, control)
	if err := conn.HandshakeContext(ctx); err != nil {
		s.incident(audit.SecurityTLS, "handshake", err, 0)
		return fmt.Errorf("TLS handshake: %w", err)
	}
	s.turn.Lock() // drain wakes the connection
	s.conn = conn
	s.turn.Unlock()
	s.lines = newLineReader(conn, s.zone.Limits.lineLength())
	s.tls = &protection{state: conn.ConnectionState(), data: data, private: private}
	r := s.record(audit.SessionTLS)
	r.Detail = s.tls.facts()
	r.Detail["cipher"] = tls.CipherSuiteName(s.tls.state.CipherSuite)
	r.Detail["by"] = how
	if discarded > 0 {
		r.Detail["discarded"] = strconv.Itoa(discarded)
		s.incident(audit.SecurityInjection, "behind_auth", fmt.Errorf("%w: %d bytes", errBehindAuth, discarded), 0)
	}
	if err := s.front.log.Note(r); err != nil {
		return errors.Join(err, s.write(reply{code: 421, text: "Service not available."}))
	}
	return nil
}

// facts are what records tell of a session's TLS; none where it has none.
func (p *protection) facts() map[string]string {
	if p == nil {
		return nil
	}
	facts := map[string]string{"tls": tls.VersionName(p.state.Version)}
	if cert := leaf(p.state); cert != nil {
		digest := sha256.Sum256(cert.Raw)
		facts["certificate"], facts["certificate_sha256"] = cert.Subject.String(), hex.EncodeToString(digest[:])
	}
	return facts
}

// certificate is the verified client certificate of the control connection, or nil.
func (s *session) certificate() *x509.Certificate {
	if s.tls == nil {
		return nil
	}
	return leaf(s.tls.state)
}

// pbsz is only asked for form's sake: TLS has no such buffer, and its size is 0 (RFC 4217, 9).
func (s *session) pbsz(ctx context.Context, x *exchange) reply {
	switch {
	case s.zone.TLS == nil:
		return absent(s, ctx, x)
	case s.tls == nil:
		return answer(503, "Send AUTH first.")
	}
	if _, err := strconv.ParseUint(strings.TrimSpace(x.args), 10, 32); err != nil {
		return answer(501, "Invalid buffer size.")
	}
	s.tls.sized = true
	return answer(200, "PBSZ=0")
}

// prot chooses between data connections in clear and over TLS (RFC 4217, 9). TLS knows nothing between the two.
func (s *session) prot(ctx context.Context, x *exchange) reply {
	switch {
	case s.zone.TLS == nil:
		return absent(s, ctx, x)
	case s.tls == nil:
		return answer(503, "Send AUTH first.")
	case !s.tls.sized:
		return answer(503, "Send PBSZ first.")
	}
	switch strings.ToUpper(strings.TrimSpace(x.args)) {
	case "P":
		s.tls.private = true
		return answer(200, "Data connections are protected.")
	case "C":
		if s.zone.TLS.DataRequired {
			return answer(534, "Data connections must be protected.").because(errDowngrade)
		}
		s.tls.private = false
		return answer(200, "Data connections are in clear.")
	case "S", "E":
		return answer(536, "Protection level not supported.")
	case "":
		return answer(501, "Argument missing.")
	}
	return answer(504, "Unknown protection level.")
}

// ccc would take the control connection back to clear text (RFC 4217, 11), which is never in the interest of a zone that asks for
// TLS: 533 where there is none to end, 534 where it stays.
func (s *session) ccc(ctx context.Context, x *exchange) reply {
	switch {
	case s.zone.TLS == nil:
		return absent(s, ctx, x)
	case s.tls == nil:
		return answer(533, "The connection is not protected.")
	}
	return answer(534, "The connection stays protected.").because(errDowngrade)
}

// mustProtect reports whether the zone wants TLS before anything else.
func (s *session) mustProtect() bool {
	return s.zone.TLS != nil && s.zone.TLS.Required && s.tls == nil
}

// private reports whether data connections are protected.
func (s *session) private() bool { return s.tls != nil && s.tls.private }

// notified reports whether the last data connection was ended by the device's close_notify.
func (s *session) notified() bool { return s.private() && !s.records && !s.tls.bare.Load() }

// mustProtectData reports whether the zone refuses data connections as they would be made now.
func (s *session) mustProtectData() bool {
	return s.zone.TLS != nil && s.zone.TLS.DataRequired && !s.private()
}

// protectData is what is done to each data connection before its first byte, or nil.
func (s *session) protectData() func(context.Context, *dataConn) error {
	if !s.private() {
		return nil
	}
	zone, p := s.zone, s.tls
	p.bare.Store(false)
	return func(ctx context.Context, d *dataConn) error { return d.protect(ctx, zone.TLS, p, zone.DataTimeout) }
}
