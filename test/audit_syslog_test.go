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
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// rsyslog is Debian's rsyslogd as a collector over TLS.
type rsyslog struct {
	t        *testing.T
	dir      string
	port     int
	messages string // the file that it writes
	ca       string
	cmd      *exec.Cmd
}

func newRsyslog(t *testing.T) *rsyslog {
	t.Helper()
	need(t, "rsyslogd")
	const driver = "/usr/lib/" // <triplet>/rsyslog/lmnsd_gtls.so
	if found, err := filepath.Glob(driver + "*/rsyslog/lmnsd_gtls.so"); err != nil || len(found) == 0 {
		need(t, "rsyslog-gnutls")
	}
	dir := t.TempDir()
	r := &rsyslog{t: t, dir: dir, port: portBlock(t), messages: filepath.Join(dir, "messages"), ca: filepath.Join(dir, "ca.pem")}
	r.certificate()
	config := fmt.Sprintf(`
global(workDirectory=%[1]q DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="%[1]s/ca.pem"
  DefaultNetstreamDriverCertFile="%[1]s/ca.pem" DefaultNetstreamDriverKeyFile="%[1]s/key.pem" maxMessageSize="64k")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="raw" type="string" string="%%structured-data%%|%%msgid%%|%%msg%%\n")
input(type="imtcp" address="127.0.0.1" port="%[2]d")
action(type="omfile" file=%[3]q template="raw")
`, dir, r.port, r.messages)
	if err := os.WriteFile(filepath.Join(dir, "rsyslog.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// certificate makes one for 127.0.0.1 that is its own authority.
func (r *rsyslog) certificate() {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(r.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rsyslog) start() {
	r.t.Helper()
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		path = "/usr/sbin/rsyslogd"
	}
	r.cmd = exec.Command(path, "-n", "-f", filepath.Join(r.dir, "rsyslog.conf"), "-i", filepath.Join(r.dir, "pid"))
	var out bytes.Buffer
	r.cmd.Stdout, r.cmd.Stderr = &out, &out
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "rsyslog listens", func() bool { return accepts(fmt.Sprintf("127.0.0.1:%d", r.port)) })
}

func (r *rsyslog) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Error(err)
	}
	_ = r.cmd.Wait() // it was told to end
}

var syslogSeq = regexp.MustCompile(`(?m)^\[ftpgw@32473 event="[a-z._]+" seq="([0-9]+)"`)

// seqs are the records that have come, in the order of their first coming.
func (r *rsyslog) seqs() []uint64 {
	text, err := os.ReadFile(r.messages)
	if err != nil {
		return nil
	}
	var list []uint64
	seen := map[uint64]bool{}
	for _, m := range syslogSeq.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseUint(string(m[1]), 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		if !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}

func compressed(t *testing.T, g *gw) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(g.auditDir, "*.zst"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// rsyslog over TLS gets every record in order, across its own restart and the rotation and compression of the log, the last one of the
// gateway included.
func TestRsyslogOverTLS(t *testing.T) {
	t.Parallel()
	r := newRsyslog(t)
	r.start()
	g := startGateway(t, setup{audit: fmt.Sprintf(`
  segment_age         = "1s"
  checkpoint_interval = "1s"
  sink "siem" {
    type    = "syslog"
    address = "127.0.0.1:%d"
    ca      = %q
  }`, r.port, r.ca)})
	f := g.login(0)
	for range 50 {
		f.expect(200, "NOOP")
	}
	eventually(t, "records come", func() bool { return len(r.seqs()) >= 50 })
	r.stop()
	for range 50 {
		f.expect(200, "NOOP")
	}
	r.start()
	f.expect(221, "QUIT")
	eventually(t, "records of the time between come", func() bool { return len(r.seqs()) >= 100 })
	eventually(t, "files are finished and compressed", func() bool { return len(compressed(t, g)) > 0 })
	g.stop()
	records := g.records()
	eventually(t, "the last record comes", func() bool { return len(r.seqs()) >= len(records) })
	r.stop()
	for i, seq := range r.seqs() {
		if seq != uint64(i)+1 {
			t.Fatalf("message %d is of record %d", i+1, seq)
		}
	}
	text, err := os.ReadFile(r.messages)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []audit.Event{audit.GatewayStart, audit.LoginOK, audit.LogCheckpoint, audit.GatewayStop} {
		if !strings.Contains(string(text), "|"+string(want)+"|") {
			t.Errorf("there is no message %s", want)
		}
	}
	g.noSecrets("syslog", string(text), []string{g.devices[0].password})
}
