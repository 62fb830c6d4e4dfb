// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// A device cannot have us connect to anybody but itself, nor to where other services wait, nor to ourselves (RFC 2577, 3).
func TestBounceIsRefusedAndRecorded(t *testing.T) {
	f := start(t, nil)
	own := netip.MustParseAddrPort(f.front.Addresses()[0].String()).Port()
	for name, command := range map[string]string{
		"another address":         "PORT 127,0,0,2,200,10",
		"another address in EPRT": "EPRT |1|127.0.0.2|51210|",
		"IPv6":                    "EPRT |2|::1|51210|",
		"IPv4 in IPv6":            "EPRT |2|::ffff:127.0.0.2|51210|",
		"any address":             "PORT 0,0,0,0,200,10",
		"broadcast":               "EPRT |1|255.255.255.255|51210|",
		"a port below 1024":       "PORT 127,0,0,1,3,255",
		"port 0":                  "EPRT |1|127.0.0.1|0|",
		"ourselves":               fmt.Sprintf("PORT 127,0,0,1,%d,%d", own>>8, own&0xff),
	} {
		t.Run(name, func(t *testing.T) {
			c := f.login(t)
			c.cmd(504, command)
			c.cmd(425, "NLST")
		})
	}
	f.incident(t, audit.SecurityBounce, "address")
}

// A thief at a passive port is dropped, and the device goes on; so is one who comes in time when the device is late.
func TestHijackIsDroppedAndRecorded(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	addr := c.pasv()
	thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}}
	stolen, err := thief.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer stolen.Close()
	c.send("STOR x\r\n")
	if err := stolen.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := stolen.Read(make([]byte, 1)); n > 0 || errors.Is(err, net.ErrClosed) {
		t.Errorf("the thief got %d bytes, %v", n, err)
	}
	conn := c.dialData(addr)
	c.expect(150)
	if _, err := io.WriteString(conn, "mine"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	if got, _ := f.remote.Get("/relay/x"); string(got) != "mine" {
		t.Errorf("stored %q", got)
	}
	if r := f.incident(t, audit.SecurityHijack, "data_connection"); !strings.Contains(r.Cause, "127.0.0.66") {
		t.Errorf("on record: %s", r.Cause)
	}
}

// No spelling of a path leads out of the home, with any command; up to the root and no further is no attack.
func TestTraversalIsRefusedAndRecorded(t *testing.T) {
	f := start(t, nil)
	f.remote.Put("/other/secret", []byte("secret"))
	f.remote.Put("/relay/d/x", []byte("x"))
	c := f.login(t)
	for _, p := range []string{
		"../other/secret", "/../other/secret", "d/../../other/secret", "/d/../../other/secret", "..//other/secret", "./../other/secret",
		`..\other\secret`, "..%2fother%2fsecret", "%2e%2e/other/secret", "..\xc0\xafother\xc0\xafsecret", "..／other／secret", "․․/other/secret",
		"..%252fother%252fsecret", "．．/other/secret",
	} {
		for _, command := range []string{"SIZE ", "MDTM ", "MLST ", "DELE ", "RNFR ", "MKD ", "RMD ", "SITE CHMOD 644 ", "MFMT 20200102030405 ", "HASH ", "CWD ", "STAT "} {
			c.send(command + p + "\r\n")
			if r := readReply(t, c); !strings.HasPrefix(r, "553") && !strings.HasPrefix(r, "550") {
				t.Errorf("%s%q: %s", command, p, r)
			}
		}
		for _, command := range []string{"RETR ", "STOR ", "APPE ", "LIST ", "NLST ", "MLSD "} {
			c.pasv()
			c.send(command + p + "\r\n")
			if r := readReply(t, c); !strings.HasPrefix(r, "553") && !strings.HasPrefix(r, "550") {
				t.Errorf("%s%q: %s", command, p, r)
			}
		}
	}
	c.cmd(250, "CWD ../../..")
	c.cmd(250, "CDUP")
	c.cmd(250, "CWD d/../d")
	c.cmd(213, "SIZE ../d/x")
	if got, ok := f.remote.Get("/other/secret"); !ok || string(got) != "secret" {
		t.Errorf("the other device's file is %q", got)
	}
	f.incident(t, audit.SecurityName, "traversal")
	f.incident(t, audit.SecurityName, "name")
}

// Bytes that would forge a line, or mean something to telnet, reach neither replies, nor listings, nor records.
func TestInjectionIsRefusedAndRecorded(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for _, line := range []string{"MKD a\rb", "MKD a\x00b", "MKD a\x1b[2Jb", "MKD a\x08b", "US\x07ER x"} {
		c.cmd(501, line)
	}
	c.cmd(553, "MKD a\xff\xffb")    // IAC IAC is the byte 255, which is not UTF-8
	c.cmd(257, "MKD a\xff\xfb\x01") // an option that is offered is none of the name
	c.cmd(553, "MKD a\u0085b")
	c.cmd(553, "MKD a\u2028b")
	f.incident(t, audit.SecurityInjection, "control_character")
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	for _, r := range f.log.records {
		if r.CommandFields != nil && strings.ContainsAny(r.Args+r.Text+r.Verb, "\r\x00\x1b") {
			t.Errorf("on record: %+v", r.CommandFields)
		}
	}
}

// What begins like HTTP, or another protocol, ends the connection before any command in it is carried out.
func TestOtherProtocolsAreRefusedAndRecorded(t *testing.T) {
	f := start(t, nil)
	for _, first := range []string{
		"GET / HTTP/1.1", "POST /STOR HTTP/1.0", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "CONNECT x:21 HTTP/1.1", "put /x", "Host: gateway", "Content-Type: text/plain",
		"SSH-2.0-OpenSSH_9.9",
	} {
		for name, c := range map[string]*client{"before login": f.dial(t), "logged in": f.login(t)} {
			c.send(first + "\r\n\r\nMKD /pwned\r\n")
			c.expect(421)
			c.ended()
			if _, ok := f.remote.Get("/relay/pwned"); ok {
				t.Errorf("%s, %s: the command behind it was carried out", first, name)
			}
		}
	}
	f.incident(t, audit.SecurityProtocol, "foreign")
	for _, r := range f.log.of(audit.Command) {
		if r.Verb == "MKD" {
			t.Error("a command behind HTTP was looked at")
		}
	}
}

// Commands in clear behind AUTH TLS are thrown away, and told of (CVE-2011-0411).
func TestInjectionBehindAuthIsRecorded(t *testing.T) {
	a := newAuthority(t)
	f, client := startTLS(t, a, nil), a.device(tls.VersionTLS13)
	c := f.dial(t)
	c.send("AUTH TLS\r\nUSER relay\r\nPASS " + password + "\r\n")
	c.expect(234)
	c.secure(client)
	c.cmd(530, "PWD")
	f.incident(t, audit.SecurityInjection, "behind_auth")
}

// A device that would do without TLS where the zone demands it, or give it up, is refused and told of; so are handshakes that fail.
func TestDowngradeIsRefusedAndRecorded(t *testing.T) {
	a := newAuthority(t)
	f, client := startTLS(t, a, func(z *TLS) { z.Required, z.DataRequired = true, true }), a.device(tls.VersionTLS13)
	c := f.dial(t)
	c.cmd(530, "USER relay")
	f.incident(t, audit.SecurityTLS, "clear")
	c = f.authTLS(t, client)
	c.cmd(534, "PROT C")
	c.cmd(534, "CCC")
	f.incident(t, audit.SecurityTLS, "downgrade")
	c = f.dial(t)
	c.cmd(234, "AUTH TLS")
	c.send("USER relay\r\n")
	f.incident(t, audit.SecurityTLS, "handshake")
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	c = f.dial(t)
	c.cmd(234, "AUTH TLS")
	if err := tls.Client(c.conn, old).HandshakeContext(t.Context()); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// A data connection that cannot prove to be the device's, by its TLS session, is refused and told of.
func TestStolenTLSDataConnection(t *testing.T) {
	a := newAuthority(t)
	f, client := startTLS(t, a, func(z *TLS) { z.ReuseRequired = true }), a.device(tls.VersionTLS13)
	c := f.authTLS(t, client)
	stranger := client.Clone()
	stranger.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if conn, err := c.dataTLS("STOR x", stranger); err == nil {
		_, _ = conn.Write([]byte("forged"))
		_ = conn.Close()
	}
	c.expect(522)
	f.incident(t, audit.SecurityHijack, "session_reuse")
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("it was published")
	}
}

// However often the same is tried the log grows by one record a minute; what was tried is counted.
func TestIncidentsDoNotFillTheLog(t *testing.T) {
	log := &memlog{}
	i := newIncidents(log, slog.New(slog.DiscardHandler))
	now := time.Unix(0, 0)
	i.now = func() time.Time { return now }
	from := netip.MustParseAddr("192.0.2.1")
	report := func(n int, from netip.Addr) {
		for range n {
			i.report(audit.Record{Event: audit.SecurityFlood, Zone: "bay", Session: "s", Cause: "c"}, from, "k", 2)
		}
	}
	report(1000, from)
	i.flush(false)
	if n := len(log.records); n != 1 || log.records[0].Detail["swallowed"] != "2" {
		t.Errorf("%d records: %v", n, log.records)
	}
	now = now.Add(incidentWindow)
	i.flush(false)
	if n := len(log.records); n != 2 {
		t.Fatalf("%d records after the window", n)
	}
	if d := log.records[1].Detail; d["count"] != "999" || d["swallowed"] != "1998" || log.records[1].Session != "" {
		t.Errorf("the second record: %+v", log.records[1])
	}
	now = now.Add(incidentWindow)
	i.flush(false)
	if len(i.open) != 0 || len(log.records) != 2 {
		t.Errorf("%d are still counted, %d records", len(i.open), len(log.records))
	}
	for n := range 10 * maxIncidents {
		report(1, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
	}
	if n := len(i.open); n > maxIncidents+1 {
		t.Errorf("%d are counted apart", n)
	}
	i.flush(true)
	total := 0
	for _, r := range log.records[2:] {
		n := 1
		if c := r.Detail["count"]; c != "" {
			_, _ = fmt.Sscan(c, &n)
		}
		total += n
	}
	if total != 10*maxIncidents {
		t.Errorf("%d incidents are on record, want %d", total, 10*maxIncidents)
	}
}

// An address at its limits does not slow the transfers of another.
func TestOneAddressAtItsLimitSlowsNobody(t *testing.T) {
	f := startWith(t, Totals{Connections: 60, PasswordChecks: 2}, func(z *Zone) {
		z.Limits.ConnectionsPerAddress, z.Limits.StartupsPerAddress, z.Limits.CommandsBeforeLogin = 20, 10, 20
		z.Limits.ConnectionsPerSecond, z.Limits.Startups = 1, Startups{20, 30, 40}
	})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // an attacker that connects as fast as it can, and guesses
		defer close(done)
		var held []net.Conn
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}}
		for {
			select {
			case <-stop:
				for _, c := range held {
					_ = c.Close()
				}
				return
			default:
			}
			conn, err := d.Dial("tcp", f.front.Addresses()[0].String())
			if err != nil {
				continue
			}
			_, _ = io.WriteString(conn, strings.Repeat("USER relay\r\nPASS wrong\r\nXYZZY\r\n", 10))
			if held = append(held, conn); len(held) > 200 {
				_ = held[0].Close()
				held = held[1:]
			}
		}
	}()
	for i := range 20 {
		c := f.loginFrom(t, "127.0.0.1")
		c.store(226, fmt.Sprintf("STOR f%d", i), []byte("content"))
		c.cmd(221, "QUIT")
	}
	close(stop)
	<-done
	f.incident(t, audit.SecurityLimit, "startups_per_address")
}
