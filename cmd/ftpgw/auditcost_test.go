// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// forgetful is a recorder that drops everything: what a gateway would be without an audit log.
type forgetful struct{}

func (forgetful) Record(context.Context, audit.Record) error { return nil }
func (forgetful) Note(audit.Record) error                    { return nil }
func (forgetful) Accepts(string) error                       { return nil }

// BenchmarkAuditShare is what the audit log costs a transfer. Two gateways differ in nothing but their recorders; each upload goes
// through the one, and at once through the other, to the same real SFTP server. It reports the median of each, and the share of the time
// that the log has in the first, in percent.
func BenchmarkAuditShare(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			server := sshdtest.Start(b)
			recorded := benchGateway(b, server, nil)
			dropped := benchGateway(b, server, func(gateway.Recorder) gateway.Recorder { return forgetful{} })
			data := make([]byte, size)
			with, without := make([]time.Duration, b.N), make([]time.Duration, b.N)
			b.SetBytes(int64(2 * size))
			b.ResetTimer()
			for i := range b.N {
				if i%2 == 0 { // so that neither is always the first
					with[i], without[i] = timeUpload(b, recorded, data), timeUpload(b, dropped, data)
				} else {
					without[i], with[i] = timeUpload(b, dropped, data), timeUpload(b, recorded, data)
				}
			}
			b.StopTimer()
			slices.Sort(with)
			slices.Sort(without)
			on, off := with[b.N/2], without[b.N/2]
			b.ReportMetric(float64(on.Microseconds()), "with-µs")
			b.ReportMetric(float64(off.Microseconds()), "without-µs")
			b.ReportMetric(100*float64(on-off)/float64(on), "share-%")
		})
	}
}

func timeUpload(b *testing.B, c *demoClient, data []byte) time.Duration {
	b.Helper()
	begin := time.Now()
	if err := c.store("/file", data); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// benchGateway runs a gateway until the benchmark ends, and logs a device in.
func benchGateway(b *testing.B, server *sshdtest.Server, record func(gateway.Recorder) gateway.Recorder) *demoClient {
	b.Helper()
	dir := b.TempDir()
	hash, err := credential.HashWithCost([]byte(demoPassword), credential.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "ftpgw.hcl")
	text := fmt.Sprintf(`
zone "bay" {
  listen        = "127.0.0.1:0"
  passive_ports = "50000-50999"
}
conduit "far" {
  address     = %q
  user        = %q
  identity    = %q
  known_hosts = %q
  root        = %q
}
audit { dir = "audit" }
device "relay" { password_hash = %q }
rule "all" {
  reason  = "the benchmark is about something else"
  devices = ["relay"]
  allow   = ["upload"]
  paths   = ["/**"]
}
`, server.Addr, server.User, server.Identity, server.KnownHosts, server.Root, hash)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	env := environment{stdout: io.Discard, stderr: os.Stderr}
	cfg, err := loadConfig(env, path)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // not that of b, which ends before its cleanup
	addr, ended, finish := make(chan string, 1), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- serve(ctx, cfg, slog.New(slog.DiscardHandler), hooks{
			stdout: io.Discard, record: record, ready: func(a *appliance) { addr <- a.front.Addresses()[0].String() },
		})
	}()
	client := make(chan *demoClient, 1)
	go func() {
		p := &demoPlay{w: io.Discard, addr: <-addr}
		if err := p.session(ctx, "relay", func(c *demoClient) error { client <- c; <-finish; return nil }); err != nil {
			b.Error(err)
		}
		stop()
	}()
	b.Cleanup(func() {
		close(finish)
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return <-client
}
