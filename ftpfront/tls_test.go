// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// authority issues the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string // with server.pem, server.key and ca.pem
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	var der []byte
	der, a.key = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	})
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write(t, "ca.pem", 0o644, "CERTIFICATE", der)
	a.write(t, "garbage.pem", 0o600, "SOMETHING", der)
	a.issue(t, "server", "gateway.example", time.Hour, x509.ExtKeyUsageServerAuth)
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// issue makes file.pem and file.key and returns them as a client's certificate.
func (a *authority) issue(t *testing.T, file, name string, life time.Duration, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	der, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	})
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, file+".pem", 0o644, "CERTIFICATE", der)
	a.write(t, file+".key", 0o600, "PRIVATE KEY", raw)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) write(t *testing.T, name string, mode os.FileMode, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// startTLS runs a front whose zone speaks TLS, with a client CA.
func startTLS(t *testing.T, a *authority, change func(*TLS)) *fixture {
	t.Helper()
	config, err := LoadTLS(a.file("server.pem"), a.file("server.key"), a.file("ca.pem"), tls.VersionTLS12)
	if err != nil {
		t.Fatal(err)
	}
	z := &TLS{Config: config}
	if change != nil {
		change(z)
	}
	return start(t, func(zone *Zone) { zone.TLS = z })
}

// device is a client's TLS, with a session cache as FTP clients have it: one for control and data connections.
func (a *authority) device(version uint16, certs ...tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{
		RootCAs: pool, ServerName: "gateway.example", MinVersion: version, MaxVersion: version, Certificates: certs,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
}

// secure puts TLS over the control connection.
func (c *client) secure(config *tls.Config) {
	c.t.Helper()
	conn := tls.Client(c.conn, config)
	if err := conn.HandshakeContext(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
}

// authTLS is a login after AUTH TLS, with PROT P.
func (f *fixture) authTLS(t *testing.T, config *tls.Config) *client {
	t.Helper()
	c := f.dial(t)
	c.cmd(234, "AUTH TLS")
	c.secure(config)
	c.loginPrivate()
	return c
}

func (c *client) loginPrivate() {
	c.t.Helper()
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	c.cmd(200, "PBSZ 0")
	c.cmd(200, "PROT P")
}

// dataTLS opens a data connection, announces the command and does the handshake, in the order in which clients do it.
func (c *client) dataTLS(command string, config *tls.Config) (*tls.Conn, error) {
	c.t.Helper()
	raw := c.dialData(c.pasv())
	c.cmd(150, command)
	conn := tls.Client(raw, config)
	return conn, conn.HandshakeContext(c.t.Context())
}

func (c *client) storeTLS(command string, content []byte, config *tls.Config) {
	c.t.Helper()
	conn, err := c.dataTLS(command, config)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := conn.Write(content); err != nil {
		c.t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.expect(226)
}

func (c *client) fetchTLS(command string, config *tls.Config) []byte {
	c.t.Helper()
	conn, err := c.dataTLS(command, config)
	if err != nil {
		c.t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); err != nil {
		c.t.Fatal(err)
	}
	c.expect(226)
	return got.Bytes()
}

func versions() map[string]uint16 {
	return map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

func TestTLSTransfers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for name, version := range versions() {
		for _, implicit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s implicit %v", name, implicit), func(t *testing.T) {
				t.Parallel()
				f := startTLS(t, a, func(z *TLS) { z.Implicit, z.Required, z.DataRequired, z.ReuseRequired = implicit, true, true, true })
				config := a.device(version)
				var c *client
				if implicit {
					c = f.dialImplicit(t, config)
					c.cmd(331, "USER relay")
					c.cmd(230, "PASS "+password) // and no PROT: it is in force from the start
				} else {
					c = f.authTLS(t, config)
				}
				c.storeTLS("STOR /a", content, config)
				c.storeTLS("STOR /empty", nil, config)
				if got := c.fetchTLS("RETR /a", config); !bytes.Equal(got, content) {
					t.Errorf("%d bytes came back, other than were sent", len(got))
				}
				if got := c.fetchTLS("RETR /empty", config); len(got) != 0 {
					t.Errorf("%q came back from an empty file", got)
				}
				if got := c.fetchTLS("NLST", config); string(got) != "a\r\nempty\r\n" {
					t.Errorf("the listing is %q", got)
				}
				c.cmd(221, "QUIT")
				checkTLSRecords(t, f, name)
			})
		}
	}
}

func checkTLSRecords(t *testing.T, f *fixture, version string) {
	t.Helper()
	for _, e := range []audit.Event{audit.SessionTLS, audit.LoginOK} {
		records := f.log.of(e)
		if len(records) != 1 || records[0].Detail["tls"] != "TLS "+version {
			t.Errorf("%s: %+v", e, records)
		}
	}
	for _, r := range f.log.of(audit.TransferCommitted) {
		if !r.Protected {
			t.Errorf("the record of a %s does not say that it was protected", r.Op)
		}
		if r.Op == "upload" && !slices.Contains(r.Evidence, "close-notify") {
			t.Errorf("the evidence of an upload is %q", r.Evidence)
		}
	}
	if d := f.log.of(audit.SessionTLS)[0].Detail; d["cipher"] == "" || d["by"] == "" {
		t.Errorf("details are missing: %v", d)
	}
}

func (f *fixture) dialImplicit(t *testing.T, config *tls.Config) *client {
	t.Helper()
	conn, err := net.Dial("tcp", f.front.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn}
	c.secure(config)
	c.expect(220)
	return c
}

// An upload that ends with FIN alone may be half a file: it is refused, and nothing is published.
func TestTLSUploadWithoutCloseNotify(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startTLS(t, a, nil)
			config := a.device(version)
			c := f.authTLS(t, config)
			conn, err := c.dataTLS("STOR /half", config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("whole records, but not all of them")); err != nil {
				t.Fatal(err)
			}
			if err := conn.NetConn().Close(); err != nil {
				t.Fatal(err)
			}
			c.expect(426)
			if _, ok := f.remote.Get("/relay/half"); ok {
				t.Error("half a file was published")
			}
			records := f.log.of(audit.TransferAborted)
			if len(records) != 1 || !strings.Contains(records[0].Cause, errTruncated.Error()) || records[0].FailedEvidence != "close-notify" {
				t.Errorf("the record is %+v", records)
			}
			c.storeTLS("STOR /whole", []byte("x"), config)
		})
	}
}

// Where the zone demands it, a data connection has to prove that it comes from the one who has the control connection.
func TestSessionReuseRequired(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startTLS(t, a, func(z *TLS) { z.ReuseRequired = true })
			mine, others := a.device(version), a.device(version)
			c := f.authTLS(t, mine)
			thief := f.authTLS(t, others)
			thief.storeTLS("STOR /theirs", []byte("x"), others) // its sessions are good for itself

			for what, config := range map[string]*tls.Config{"no session": a.device(version), "another's session": others} {
				conn, err := c.dataTLS("STOR /stolen", config)
				if err == nil { // with TLS 1.3 the client is done before the server has decided
					_, _ = conn.Write([]byte("x"))
					_ = conn.Close()
				}
				c.expect(522)
				if _, ok := f.remote.Get("/relay/stolen"); ok {
					t.Errorf("%s: a file was published", what)
				}
			}
			c.storeTLS("STOR /mine", []byte("x"), mine)
		})
	}
}

// What is sent in clear behind AUTH is not executed under the protection of TLS.
func TestInjectionBehindAuth(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, nil)
	c := f.dial(t)
	const injected = "USER relay\r\nPASS x\r\nDEL"
	c.send("AUTH TLS\r\n" + injected)
	c.expect(234)
	c.secure(a.device(tls.VersionTLS13))
	c.cmd(503, "PASS "+password) // no USER was taken in
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	records := f.log.of(audit.SessionTLS)
	if len(records) != 1 || records[0].Detail["discarded"] != fmt.Sprint(len(injected)) {
		t.Errorf("the record is %+v", records)
	}
	for _, r := range f.log.of(audit.Command)[1:] {
		if r.Verb == "DEL" || r.Verb == credential.Masked {
			t.Errorf("the injected command was executed: %+v", r)
		}
	}
}

// AUTH that waited for the end of a transfer meets a read that is under way already.
func TestAuthBehindATransfer(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, nil)
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR /a")
	c.send("AUTH TLS\r\nNOOP\r\n")
	c.cmd(211, "STAT") // is answered at once, so that the others have arrived
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	c.expect(234)
	c.secure(a.device(tls.VersionTLS13))
	c.cmd(503, "PASS "+password) // the answer to NOOP would be 200
	if records := f.log.of(audit.SessionTLS); len(records) != 1 || records[0].Detail["discarded"] != "6" {
		t.Errorf("the record is %+v", records)
	}
}

func TestLoginNeedsTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, func(z *TLS) { z.Required, z.DataRequired = true, true })
	c := f.dial(t)
	if text := c.cmd(211, "FEAT"); !strings.Contains(text, " AUTH TLS\r\n PBSZ\r\n PROT\r\n") {
		t.Errorf("FEAT: %q", text)
	}
	for _, step := range []struct {
		code int
		line string
	}{
		{530, "USER relay"}, {530, "PASS " + password}, {530, "STAT"}, {530, "OPTS UTF8 ON"}, {530, "LIST"}, {500, "WHAT"},
		{200, "NOOP"}, {215, "SYST"}, {214, "HELP"}, {503, "PBSZ 0"}, {503, "PROT P"}, {533, "CCC"}, {502, "ADAT x"},
		{501, "AUTH"}, {504, "AUTH GSSAPI"},
	} {
		c.cmd(step.code, step.line)
	}
	c.cmd(234, "auth tls-c")
	c.secure(a.device(tls.VersionTLS13))
	for _, step := range []struct {
		code int
		line string
	}{
		{503, "AUTH TLS"}, {503, "PROT P"}, {501, "PBSZ x"}, {501, "PBSZ 4294967296"}, {200, "PBSZ 1024"}, {534, "PROT C"}, {536, "PROT S"},
		{536, "PROT E"}, {504, "PROT X"}, {501, "PROT"}, {534, "CCC"}, {331, "USER relay"}, {230, "PASS " + password},
		{229, "EPSV"}, {521, "LIST"}, {521, "STOR /x"}, {200, "PROT P"}, {425, "LIST"}, {220, "REIN"}, {331, "USER relay"},
	} {
		c.cmd(step.code, step.line)
	}
	if records := f.log.of(audit.LoginOK); len(records) != 1 {
		t.Errorf("%d logins", len(records))
	}
}

func TestAuthStartsOver(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, nil)
	c := f.login(t)
	c.cmd(234, "AUTH SSL")
	config := a.device(tls.VersionTLS12)
	c.secure(config)
	c.cmd(530, "PWD")
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	c.storeTLS("STOR /a", []byte("protected without PROT"), config)
	c.cmd(200, "PBSZ 0")
	c.cmd(200, "PROT C")
	if got := c.fetch("RETR /a"); string(got) != "protected without PROT" {
		t.Errorf("%q came back", got)
	}
}

func TestWithoutTLSTheVerbsAreAbsent(t *testing.T) {
	t.Parallel()
	c := start(t, nil).dial(t)
	for _, line := range []string{"AUTH TLS", "PBSZ 0", "PROT P", "CCC"} {
		c.cmd(502, line)
	}
	if text := c.cmd(211, "FEAT"); strings.Contains(text, "AUTH") || strings.Contains(text, "PROT") {
		t.Errorf("FEAT: %q", text)
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	right := a.issue(t, "relay", "relay.device.example", time.Hour, x509.ExtKeyUsageClientAuth)
	wrong := a.issue(t, "other", "other.device.example", time.Hour, x509.ExtKeyUsageClientAuth)
	f := startTLS(t, a, nil)
	devices := f.front.login.Load().devices["relay"]
	devices[0].CertificateNames = []string{"Relay.device.example"}
	f.front.Replace(devices, func() {})

	f.tryLogin(t, "in clear", nil, 530)
	f.tryLogin(t, "no certificate", a.device(tls.VersionTLS13), 530)
	f.tryLogin(t, "another device's certificate", a.device(tls.VersionTLS13, wrong), 530)
	f.tryLogin(t, "its certificate", a.device(tls.VersionTLS13, right), 230)

	r := f.log.of(audit.LoginOK)
	if len(r) != 1 || r[0].Detail["certificate"] != "CN=relay.device.example" || len(r[0].Detail["certificate_sha256"]) != 64 {
		t.Errorf("the record of the login is %+v", r)
	}
	for name, version := range versions() {
		config := a.device(version, right)
		c := f.authTLS(t, config)
		c.storeTLS("STOR /"+name, []byte("x"), config)                   // resumed
		c.storeTLS("STOR /"+name, []byte("x"), a.device(version, right)) // not resumed, but the same device
		for _, other := range []*tls.Config{a.device(version, wrong), a.device(version)} {
			if conn, err := c.dataTLS("STOR /stolen", other); err == nil {
				_ = conn.Close()
			}
			c.expect(522)
		}
	}
	if _, ok := f.remote.Get("/relay/stolen"); ok {
		t.Error("a file of somebody else was published")
	}
}

func (f *fixture) tryLogin(t *testing.T, what string, config *tls.Config, code int) {
	t.Helper()
	t.Log(what)
	c := f.dial(t)
	if config != nil {
		c.cmd(234, "AUTH TLS")
		c.secure(config)
	}
	c.cmd(331, "USER relay")
	c.cmd(code, "PASS "+password)
}

// A certificate of an authority that is not ours ends the handshake.
func TestForeignClientCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	foreign := newAuthority(t).issue(t, "relay", "relay.device.example", time.Hour, x509.ExtKeyUsageClientAuth)
	f := startTLS(t, a, nil)
	c := f.dial(t)
	c.cmd(234, "AUTH TLS")
	conn := tls.Client(c.conn, a.device(tls.VersionTLS12, foreign))
	if err := conn.HandshakeContext(t.Context()); err == nil {
		t.Error("the handshake succeeded")
	}
}

// The ways in which a session is woken work through TLS, too.
func TestTLSSessionEnds(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		config, err := LoadTLS(a.file("server.pem"), a.file("server.key"), "", tls.VersionTLS12)
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, func(z *Zone) { z.TLS, z.IdleTimeout = &TLS{Config: config}, 50*time.Millisecond })
		c := f.authTLS(t, a.device(tls.VersionTLS13))
		c.expect(421)
	})
	t.Run("shutdown", func(t *testing.T) {
		t.Parallel()
		f := startTLS(t, a, nil)
		c := f.authTLS(t, a.device(tls.VersionTLS13))
		f.stop()
		c.expect(421)
	})
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		f := startTLS(t, a, nil)
		config := a.device(tls.VersionTLS13)
		c := f.authTLS(t, config)
		conn, err := c.dataTLS("STOR /a", config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("some")); err != nil {
			t.Fatal(err)
		}
		c.cmd(211, "STAT")
		c.cmd(426, "ABOR")
		c.expect(226)
		c.cmd(200, "NOOP")
	})
	t.Run("no handshake", func(t *testing.T) {
		t.Parallel()
		f := startTLS(t, a, nil)
		c := f.dial(t)
		c.cmd(234, "AUTH TLS")
		c.send("USER relay\r\n")
		if rest, err := io.ReadAll(c.r); err == nil && bytes.Contains(rest, []byte("331")) {
			t.Errorf("the session went on in clear: %q", rest)
		}
	})
}

func TestCheckCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue(t, "old", "gateway.example", -time.Hour, x509.ExtKeyUsageServerAuth)
	a.issue(t, "open", "gateway.example", time.Hour, x509.ExtKeyUsageServerAuth)
	if err := os.Chmod(a.file("open.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ cert, key, want string }{
		{"server.pem", "server.key", ""},
		{"old.pem", "old.key", "expired on"},
		{"open.pem", "open.key", "can be read by others"},
		{"server.pem", "old.key", "private key does not match"},
		{"server.pem", "none.key", "no such file"},
		{"none.pem", "server.key", "no such file"},
		{"garbage.pem", "server.key", "failed to find"},
		{"server.pem", "garbage.pem", "failed to find"},
		{"server.pem", ".", "not a regular file"},
	} {
		err := CheckCertificate(a.file(test.cert), a.file(test.key), time.Now())
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with %s: %v, want %q", test.cert, test.key, err, test.want)
		}
	}
	for file, want := range map[string]string{"ca.pem": "", "garbage.pem": "holds no certificate", "none": "no such file"} {
		err := CheckClientCA(a.file(file))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

// A browser that somebody sent here names another protocol than FTP, and gets no further than that.
func TestApplicationProtocols(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, func(z *TLS) { z.Implicit = true })
	for protocol, want := range map[string]bool{"": true, "ftp": true, "http/1.1": false, "ftp-data": false} {
		config := a.device(tls.VersionTLS13)
		if protocol != "" {
			config.NextProtos = []string{protocol}
		}
		conn, err := net.Dial("tcp", f.front.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := tls.Client(conn, config).HandshakeContext(t.Context()); (err == nil) != want {
			t.Errorf("%q: %v, want success %v", protocol, err, want)
		}
	}
}

// Who opens a data connection and says nothing there is not waited for longer than for one that does not come.
func TestDataHandshakeThatDoesNotCome(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	config, err := LoadTLS(a.file("server.pem"), a.file("server.key"), "", tls.VersionTLS12)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(z *Zone) { z.TLS, z.DataTimeout = &TLS{Config: config}, 200*time.Millisecond })
	c := f.authTLS(t, a.device(tls.VersionTLS13))
	c.dialData(c.pasv())
	c.cmd(150, "STOR /a")
	c.expect(425)
	conn := c.dialData(c.pasv()) // one that gives up
	c.cmd(150, "STOR /a")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(425)
	conn = c.dialData(c.pasv()) // one that forgets about TLS, as some clients do in active mode
	c.cmd(150, "STOR /a")
	if _, err := io.WriteString(conn, "this is not a ClientHello, it is a file"); err != nil {
		t.Fatal(err)
	}
	c.expect(522)
	if _, ok := f.remote.Get("/relay/a"); ok {
		t.Error("a file was published")
	}
}

// A zone can bear with devices that never send a close_notify. What breaks off within a record is refused even there.
func TestCloseNotifyOptional(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := startTLS(t, a, func(z *TLS) { z.CloseOptional = true })
	config := a.device(tls.VersionTLS13)
	c := f.authTLS(t, config)
	for _, test := range []struct {
		name   string
		code   int
		finish func(*tls.Conn) error
	}{
		{"fin", 226, func(conn *tls.Conn) error { return conn.NetConn().Close() }},
		{"notify", 226, (*tls.Conn).Close},
		{"cut", 426, func(conn *tls.Conn) error {
			if _, err := conn.NetConn().Write([]byte{23, 3, 3, 1, 0, 7}); err != nil { // the beginning of a record of 256 bytes
				return err
			}
			return conn.NetConn().Close()
		}},
	} {
		conn, err := c.dataTLS("STOR /"+test.name, config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("content")); err != nil {
			t.Fatal(err)
		}
		if err := test.finish(conn); err != nil {
			t.Fatal(err)
		}
		c.expect(test.code)
		if _, ok := f.remote.Get("/relay/" + test.name); ok != (test.code == 226) {
			t.Errorf("%s: published is %v", test.name, ok)
		}
	}
	for _, r := range f.log.of(audit.TransferCommitted) {
		if slices.Contains(r.Evidence, "close-notify") != (r.Path == "/notify") {
			t.Errorf("the evidence of %s is %q", r.Path, r.Evidence)
		}
	}
}
