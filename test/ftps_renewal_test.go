// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// A certificate is renewed without a restart: who is there stays, who comes sees the new one.
func TestCertificateRenewal(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	g := startGateway(t, setup{zone: p.zone(`tls_mode = "implicit"`)})
	g.waitLog("the certificate of a zone expires soon")
	early := p.dial(t, g.addr)
	p.renew("gateway-2")
	if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	g.waitLog("configuration reloaded")
	late := p.dial(t, g.addr)
	for conn, want := range map[*tls.Conn]string{early: "gateway", late: "gateway-2"} {
		if name := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; name != want {
			t.Errorf("the certificate is that of %s, want %s", name, want)
		}
		if _, err := conn.Write([]byte("QUIT\r\n")); err != nil {
			t.Error(err)
		}
		buffer := make([]byte, 100)
		if _, err := conn.Read(buffer); err != nil {
			t.Error(err)
		}
	}
}

// A reload that brings nothing but other contents of a zone's certificates says which they are, on the screen and on record, although
// the digest, which is over the configuration, is the same. Files that were written again as they were are no change.
func TestReloadSaysWhichCertificatesAreNew(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	authorities := filepath.Join(t.TempDir(), "devices.pem")
	copyOf := func(file string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(authorities, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyOf(p.ca)
	g := startGateway(t, setup{zone: p.zone(fmt.Sprintf("client_ca = %q", authorities))})
	copyOf(p.ca)
	if out := g.succeed("reload"); !strings.Contains(out, "nothing changed") {
		t.Errorf("the same contents: %s", out)
	}
	const certificate, authority = `certificate of zone "bay" changed`, `client_ca of zone "bay" changed`
	p.renew("gateway-2")
	if out := g.succeed("reload"); !strings.Contains(out, certificate) || strings.Contains(out, authority) || strings.Contains(out, "nothing changed") {
		t.Errorf("another certificate: %s", out)
	}
	copyOf(newPKI(t).ca)
	if out := g.succeed("reload"); !strings.Contains(out, authority) || strings.Contains(out, certificate) || strings.Contains(out, "nothing changed") {
		t.Errorf("another authority: %s", out)
	}
	var told []string
	for _, r := range g.recordsOf(audit.ConfigLoaded) {
		told = append(told, r.Detail["certificates"])
	}
	if want := []string{"", "", certificate, authority}; !slices.Equal(told, want) {
		t.Errorf("on record: %q, want %q", told, want)
	}
}

// A file with keys that is read at the start only, and has other contents, is not passed over in silence: the reload is refused.
func TestReloadOfAnotherSinkAuthority(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	g := startGateway(t, setup{audit: fmt.Sprintf("sink \"siem\" {\n  type = \"syslog\"\n  address = \"127.0.0.1:1\"\n  transport = \"tls\"\n  ca = %q\n}\n", p.ca)})
	g.succeed("reload")
	text, err := os.ReadFile(newPKI(t).ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := g.operate("reload"); o.status != 1 || !strings.Contains(o.stderr, `the ca of sink "siem" (`+p.ca) {
		t.Errorf("exit status %d\n%s", o.status, o.stderr)
	}
}

// dial makes a TLS connection to a zone with implicit TLS.
func (p pki) dial(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	ca, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
