// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// BenchmarkBacklog is the life of a backlog of files of 4 KiB: accepted from 64 devices at once, with the audit log and all fsyncs, found
// again by a new start, and delivered to a far side in memory. 10,000 files, or 100,000 with FTPGW_SOAK=1.
func BenchmarkBacklog(b *testing.B) {
	entries := 10_000
	if os.Getenv("FTPGW_SOAK") == "1" {
		entries = 100_000
	}
	for b.Loop() {
		backlog(b, b.TempDir(), entries)
	}
}

func backlog(b *testing.B, dir string, entries int) {
	const devices = 64
	log, err := audit.Open(filepath.Join(dir, "audit"), audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	}()
	far := &memremote.Remote{}
	open := func() (*gateway.Gateway, *spool.Spool) {
		store, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool")})
		if err != nil {
			b.Fatal(err)
		}
		p, err := policy.New([]policy.Rule{spooled("far")})
		if err != nil {
			b.Fatal(err)
		}
		return gateway.New(gateway.Options{
			Policy: p, Remotes: map[string]gateway.Remote{"far": far}, Log: benchLog{log}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			Spool: store, Forward: gateway.ForwardOptions{Workers: 8},
		}), store
	}

	g, store := open()
	begun := time.Now()
	var clients sync.WaitGroup
	for d := range devices {
		clients.Go(func() {
			for i := range entries / devices {
				acceptOne(b, g, d, i)
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(entries)/time.Since(begun).Seconds(), "accepted/s")
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}

	begun = time.Now()
	g, store = open()
	b.ReportMetric(time.Since(begun).Seconds(), "s-to-recover")

	begun = time.Now()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.Forwarder().Run(ctx) }()
	for u := (spool.Usage{Waiting: spool.Count{Entries: 1}}); u.Waiting.Entries > 0; time.Sleep(time.Millisecond) {
		if u, err = store.Usage(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries)/time.Since(begun).Seconds(), "delivered/s")
	stop()
	<-done
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

func acceptOne(b *testing.B, g *gateway.Gateway, device, i int) {
	ctx := context.Background()
	s := gateway.Session{ID: "s", Zone: "bay", Device: fmt.Sprintf("d%d", device), Home: fmt.Sprintf("/d%d", device), Peer: netip.MustParseAddrPort("192.0.2.1:1")}
	in, err := g.Receive(ctx, s, gateway.UploadRequest{Op: policy.Upload, Path: fmt.Sprintf("/f%06d", i), Declared: 4096})
	if err == nil {
		_, err = in.Take(ctx, bytes.NewReader(make([]byte, 4096)))
	}
	if err == nil {
		err = in.Commit(ctx, gateway.Ending{})
	}
	if err != nil {
		b.Error(err)
	}
}

// benchLog is a real log for all zones.
type benchLog struct{ *audit.Log }

func (l benchLog) Accepts(string) error { return l.Err() }
