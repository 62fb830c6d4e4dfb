// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// pki is an authority with a certificate for the gateway and one for a device, as files.
type pki struct {
	ca, cert, key, deviceCert, deviceKey string
	renew                                func(name string) // gives the gateway another certificate
}

func newPKI(t testing.TB) pki {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	p := pki{ca: file("ca.pem"), cert: file("gateway.pem"), key: file("gateway.key"), deviceCert: file("device.pem"), deviceKey: file("device.key")}
	ca := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey := issue(t, ca, ca, nil, p.ca, "")
	p.renew = func(name string) {
		issue(t, x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, ca, caKey, p.cert, p.key)
	}
	p.renew("gateway")
	issue(t, x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "relay.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, caKey, p.deviceCert, p.deviceKey)
	return p
}

// issue makes a certificate and its key; a certificate without signer signs itself.
func issue(t testing.TB, cert, parent x509.Certificate, signer *ecdsa.PrivateKey, certFile, keyFile string) *ecdsa.PrivateKey {
	t.Helper()
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, &cert, &parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, certFile, bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if keyFile == "" {
		return key
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return key
}

// zone is the TLS of a zone; more are further attributes.
func (p pki) zone(more ...string) string {
	return fmt.Sprintf("tls = \"required\"\ncertificate = %q\nprivate_key = %q\n", p.cert, p.key) + strings.Join(more, "\n")
}

// ftpsClient is how a client of somebody else is told to use TLS.
type ftpsClient struct {
	name    string
	program string
	run     func(p pki, e errand) []script
	private bool // its data connections are protected
	implicit,
	resumes, // its data connections resume the session of its control connection
	download bool
}

func curlURL(scheme string, flags ...string) func(pki, errand) []script {
	return func(p pki, e errand) []script {
		args := append([]string{"curl", "--silent", "--show-error", "--cacert", p.ca, "--user", e.user + ":" + e.password}, flags...)
		url := scheme + "://" + net.JoinHostPort(e.host, e.port) + "/" + e.remote
		return []script{
			{args: append(slices.Clone(args), "--upload-file", e.local, url)},
			{args: append(slices.Clone(args), "--output", e.back, url)},
		}
	}
}

func lftpTLS(scheme, settings string) func(pki, errand) []script {
	return func(p pki, e errand) []script {
		return []script{{args: []string{"lftp", "-c", "set net:max-retries 1; set net:timeout 60; set cmd:fail-exit yes; set ftp:ssl-force yes; " +
			"set ssl:ca-file " + p.ca + "; " + settings + "open -u " + e.user + "," + e.password + " -p " + e.port + " " + scheme + "://" + e.host +
			"; put " + e.local + " -o " + e.remote + "; get " + e.remote + " -o " + e.back}}}
	}
}

func wgetTLS(flags ...string) func(pki, errand) []script {
	return func(p pki, e errand) []script {
		args := append([]string{"wget", "--no-verbose", "--tries=1", "--ca-certificate=" + p.ca, "--user=" + e.user,
			"--password=" + e.password, "--output-document=" + e.back}, flags...)
		return []script{{args: append(args, "ftps://"+net.JoinHostPort(e.host, e.port)+"/"+e.remote)}}
	}
}

func ftplibTLS(p pki, e errand) []script {
	const program = `
import ftplib, ssl, sys
ca, host, port, user, password, local, remote, back = sys.argv[1:]
ftp = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ca))
ftp.connect(host, int(port))
ftp.login(user, password)
ftp.prot_p()
with open(local, "rb") as f:
    ftp.storbinary("STOR " + remote, f)
with open(back, "wb") as f:
    ftp.retrbinary("RETR " + remote, f.write)
ftp.quit()
`
	return []script{{args: []string{"python3", "-c", program, p.ca, e.host, e.port, e.user, e.password, e.local, e.remote, e.back}}}
}

func ftpsClients() []ftpsClient {
	return []ftpsClient{
		// curl declines session tickets in TLS 1.2 (SSL_OP_NO_TICKET), and forgets the data connection's TLS in active mode before 8.0.
		{name: "curl 1.2", program: "curl", run: curlURL("ftp", "--ssl-reqd", "--tls-max", "1.2"), private: true},
		{name: "curl 1.3", program: "curl", run: curlURL("ftp", "--ssl-reqd", "--tlsv1.3"), private: true, resumes: true},
		{name: "curl clear data", program: "curl", run: curlURL("ftp", "--ftp-ssl-control")},
		{name: "curl active clear data", program: "curl", run: curlURL("ftp", "--ftp-ssl-control", "--ftp-port", "-")},
		{name: "curl implicit 1.2", program: "curl", run: curlURL("ftps", "--tls-max", "1.2"), private: true, implicit: true},
		{name: "curl implicit 1.3", program: "curl", run: curlURL("ftps", "--tlsv1.3"), private: true, implicit: true},
		{name: "lftp 1.2", program: "lftp", run: lftpTLS("ftp", "set ftp:ssl-protect-data yes; set ssl:priority NORMAL:-VERS-TLS1.3; "), private: true, resumes: true},
		{name: "lftp 1.3", program: "lftp", run: lftpTLS("ftp", "set ftp:ssl-protect-data yes; "), private: true, resumes: true},
		{name: "lftp AUTH SSL", program: "lftp", run: lftpTLS("ftp", "set ftp:ssl-auth SSL; set ftp:ssl-protect-data yes; "), private: true, resumes: true},
		{name: "lftp active 1.2", program: "lftp", run: lftpTLS("ftp", "set ftp:passive-mode off; set ftp:ssl-protect-data yes; set ssl:priority NORMAL:-VERS-TLS1.3; "), private: true, resumes: true},
		{name: "lftp active 1.3", program: "lftp", run: lftpTLS("ftp", "set ftp:passive-mode off; set ftp:ssl-protect-data yes; "), private: true, resumes: true},
		{name: "lftp clear data", program: "lftp", run: lftpTLS("ftp", "set ftp:ssl-protect-data no; ")},
		{name: "lftp implicit", program: "lftp", run: lftpTLS("ftps", "set ftp:ssl-protect-data yes; "), private: true, implicit: true},
		{name: "wget", program: "wget", run: wgetTLS(), private: true, download: true, resumes: true},
		{name: "wget implicit", program: "wget", run: wgetTLS("--ftps-implicit"), private: true, implicit: true, download: true},
		// ftplib cannot resume (https://github.com/python/cpython/issues/63699).
		{name: "ftplib", program: "python3", run: ftplibTLS, private: true},
	}
}

// Every client that knows FTPS sends a file and fetches it again, in clear nowhere but where it was told to.
func TestFTPSClients(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	for _, implicit := range []bool{false, true} {
		mode := map[bool]string{false: "explicit", true: "implicit"}[implicit]
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{zone: p.zone(fmt.Sprintf("tls_mode = %q", mode))})
			for _, c := range ftpsClients() {
				if c.implicit == implicit {
					t.Run(c.name, func(t *testing.T) { relayByTLS(t, g, p, c) })
				}
			}
			checkSessions(t, g, implicit)
		})
	}
}

// Where data connections must resume the session of their control connection, those who can do get through, and the others are refused.
func TestFTPSSessionReuse(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	g := startGateway(t, setup{zone: p.zone(`session_reuse = "required"`, `data_tls = "required"`)})
	for _, c := range ftpsClients() {
		if c.implicit || !c.private {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if c.resumes {
				relayByTLS(t, g, p, c)
				return
			}
			need(t, c.program)
			out, err := runScript(t, c.run(p, errandFor(t, g, 0, strings.ReplaceAll(c.name, " ", "-"), 1000))[0])
			if err == nil {
				t.Errorf("the client was not refused:\n%s", out)
			}
		})
	}
}

func relayByTLS(t *testing.T, g *gw, p pki, c ftpsClient) {
	need(t, c.program)
	const size = 1<<20 + 3
	e := errandFor(t, g, 0, strings.ReplaceAll(c.name, " ", "-")+".bin", size)
	stored := filepath.Join(g.home(0), e.remote)
	if c.download {
		writeFile(t, stored, pattern(size, 0))
	}
	for _, s := range c.run(p, e) {
		if out, err := runScript(t, s); err != nil {
			t.Errorf("%s: %v\n%s", s.args[0], err, out)
		}
	}
	want := digestFile(t, e.local)
	if digestFile(t, stored) != want || digestFile(t, e.back) != want {
		t.Error("another file arrived than was sent")
	}
}

// checkSessions holds what the records say about TLS against what the clients were told to do.
func checkSessions(t *testing.T, g *gw, implicit bool) {
	t.Helper()
	versions := map[string]bool{}
	notified := map[bool]int{}
	for _, r := range g.records() {
		switch {
		case r.Event == audit.SessionTLS:
			versions[r.Detail["tls"]] = true
		case r.Event == audit.TransferCommitted && r.Op == "upload":
			private := !strings.Contains(r.Path, "clear-data")
			notified[private]++
			if slices.Contains(r.Evidence, "close-notify") != private || r.Protected != private {
				t.Errorf("%s: protected is %v and the evidence is %q", r.Path, r.Protected, r.Evidence)
			}
		}
	}
	if !versions["TLS 1.2"] || !versions["TLS 1.3"] {
		t.Errorf("the sessions used %v", versions)
	}
	if notified[true] == 0 || (notified[false] == 0) != implicit {
		t.Errorf("uploads, by protection: %v", notified)
	}
}

// A device that must show a certificate gets in with it and stays out without.
func TestFTPSClientCertificate(t *testing.T) {
	t.Parallel()
	need(t, "curl", "lftp")
	p := newPKI(t)
	d := newDevice("relay")
	d.more = `certificate_names = ["relay.example"]`
	g := startGateway(t, setup{devices: []device{d}, zone: p.zone(fmt.Sprintf("client_ca = %q", p.ca))})
	flags := []string{"--ssl-reqd", "--cert", p.deviceCert, "--key", p.deviceKey}
	relayByTLS(t, g, p, ftpsClient{name: "curl with certificate", program: "curl", run: curlURL("ftp", flags...)})
	relayByTLS(t, g, p, ftpsClient{name: "lftp with certificate", program: "lftp",
		run: lftpTLS("ftp", "set ftp:ssl-protect-data yes; set ssl:cert-file "+p.deviceCert+"; set ssl:key-file "+p.deviceKey+"; ")})
	out, err := runScript(t, curlURL("ftp", "--ssl-reqd")(p, errandFor(t, g, 0, "none", 10))[0])
	if err == nil || !strings.Contains(out, "530") {
		t.Errorf("without a certificate: %v\n%s", err, out)
	}
	for _, r := range g.recordsOf(audit.LoginOK) {
		if r.Detail["certificate"] != "CN=relay.example" || r.Detail["tls"] == "" {
			t.Errorf("the record of a login is %+v", r)
		}
	}
}

// openssl speaks what a hand-written client would: AUTH TLS, then commands.
func TestFTPSBySClient(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	p := newPKI(t)
	g := startGateway(t, setup{zone: p.zone(`tls_min_version = "1.3"`)})
	connect := []string{"openssl", "s_client", "-connect", g.addr, "-starttls", "ftp", "-CAfile", p.ca, "-verify_return_error", "-crlf", "-quiet"}
	out, err := runScript(t, script{args: connect, stdin: "NOOP\nPBSZ 0\nQUIT\n"})
	if err != nil || !strings.Contains(out, "200 PBSZ=0\r\n") || !strings.Contains(out, "221 ") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := runScript(t, script{args: append(connect, "-tls1_2"), stdin: "QUIT\n"}); err == nil {
		t.Errorf("TLS 1.2 was spoken below tls_min_version:\n%s", out)
	}
}

// Whoever tries to log in in clear where TLS is required is turned away before the password.
func TestFTPSRequired(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{zone: newPKI(t).zone(`data_tls = "required"`)})
	f := dial(t, g.addr)
	f.expect(530, "USER %s", g.devices[0].name)
	f.expect(530, "PASS %s", g.devices[0].password)
	f.expect(221, "QUIT")
	need(t, "curl")
	p := pki{ca: filepath.Join(g.dir, "none")}
	out, err := runScript(t, curlURL("ftp")(p, errandFor(t, g, 0, "clear", 10))[0])
	if err == nil {
		t.Errorf("curl got through in clear:\n%s", out)
	}
}
