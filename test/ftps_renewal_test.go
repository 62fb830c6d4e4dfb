// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"syscall"
	"testing"
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
