// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/audit"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	// maxDatagram bounds messages over UDP, in bytes; what is longer is cut, which RFC 5426 section 3.2 allows.
	maxDatagram = 48 << 10
)

// Format makes the text of a record.
type Format func(r audit.Record, line []byte) string

// JSON is the line of the log itself.
func JSON(_ audit.Record, line []byte) string { return string(line) }

// CEF makes messages in the Common Event Format; version is that of the program.
func CEF(version string) Format {
	return func(r audit.Record, _ []byte) string { return cef(r, version) }
}

// Syslog opens connections to a syslog collector. network is "udp" (RFC 5426), "tcp" (RFC 6587, octet counting) or "tls" (RFC 5425);
// config is for the last one.
func Syslog(network, address string, config *tls.Config, format Format) func(context.Context) (Conn, error) {
	return func(ctx context.Context) (Conn, error) {
		conn, err := dial(ctx, network, address, config)
		if err != nil {
			return nil, fmt.Errorf("connect to syslog at %s: %w", address, err)
		}
		hostname, err := os.Hostname()
		if err != nil || hostname == "" {
			hostname = "-"
		}
		s := &syslogConn{Conn: conn, datagram: network == "udp", hostname: hostname, format: format, lost: make(chan struct{}), ended: make(chan struct{})}
		go s.watch()
		return s, nil
	}
}

func dial(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	if network != "tls" {
		return d.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: d, Config: config}).DialContext(ctx, "tcp", address)
}

type syslogConn struct {
	net.Conn
	datagram bool
	hostname string
	format   Format
	lost     chan struct{}
	ended    chan struct{}
}

// watch finds out that the collector has closed the connection: it never sends anything, so that a read ends with that only.
func (s *syslogConn) watch() {
	defer close(s.ended)
	if s.datagram {
		return // an answer to a datagram says nothing of those that follow
	}
	_, _ = io.Copy(io.Discard, s.Conn) // however it ends, the connection is of no use any more
	close(s.lost)
}

func (s *syslogConn) Send(r audit.Record, line []byte) error {
	text := syslogMessage(r, s.hostname, os.Getpid(), s.format(r, line))
	if s.datagram {
		if len(text) > maxDatagram {
			text = strings.ToValidUTF8(text[:maxDatagram], "")
		}
	} else {
		text = strconv.Itoa(len(text)) + " " + text
	}
	if err := s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := io.WriteString(s.Conn, text)
	return err
}

// Unacknowledged is how many bytes the collector's machine has not taken yet.
func (s *syslogConn) Unacknowledged() (n int, err error) {
	conn := s.Conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var ierr error
	err = raw.Control(func(fd uintptr) { n, ierr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n, errors.Join(err, ierr)
}

func (s *syslogConn) Lost() <-chan struct{} { return s.lost }

func (s *syslogConn) Close() error {
	err := s.Conn.Close()
	<-s.ended
	return err
}

// Stream writes one text a line to w, which is not closed. Where w can block it must have the method SetWriteDeadline.
func Stream(w io.Writer, format Format) func(context.Context) (Conn, error) {
	return func(context.Context) (Conn, error) {
		s := &streamConn{w, format}
		return s, s.until(time.Time{})
	}
}

type streamConn struct {
	w      io.Writer
	format Format
}

func (s *streamConn) Send(r audit.Record, line []byte) error {
	_, err := io.WriteString(s.w, s.format(r, line)+"\n")
	return err
}

func (s *streamConn) Lost() <-chan struct{} { return nil }

// Close ends a Send.
func (s *streamConn) Close() error { return s.until(time.Unix(1, 0)) }

func (s *streamConn) until(t time.Time) error {
	d, ok := s.w.(deadliner)
	if !ok {
		return nil
	}
	if err := d.SetWriteDeadline(t); err != nil && !errors.Is(err, os.ErrNoDeadline) { // /dev/null has none and needs none
		return fmt.Errorf("set the deadline of the output: %w", err)
	}
	return nil
}

// JournalSocket is where journald listens.
const JournalSocket = "/run/systemd/journal/socket"

// Journal opens connections to journald by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
func Journal(socket string, format Format) func(context.Context) (Conn, error) {
	return func(ctx context.Context) (Conn, error) {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unixgram", socket)
		if err != nil {
			return nil, fmt.Errorf("connect to journald: %w", err)
		}
		return &journalConn{conn, format}, nil
	}
}

type journalConn struct {
	net.Conn
	format Format
}

func (j *journalConn) Send(r audit.Record, line []byte) error {
	var b strings.Builder
	put := func(name, value string) {
		if value = oneLine(value); value != "" {
			fmt.Fprintf(&b, "%s=%s\n", name, value)
		}
	}
	put("MESSAGE", j.format(r, line))
	put("PRIORITY", strconv.Itoa(severity(r.Event)))
	put("SYSLOG_IDENTIFIER", "ftpgw")
	put("FTPGW_EVENT", string(r.Event))
	for _, f := range fields(r) {
		put("FTPGW_"+strings.ToUpper(f.name), f.value)
	}
	if err := j.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := io.WriteString(j.Conn, b.String())
	return err
}

func (j *journalConn) Lost() <-chan struct{} { return nil }
