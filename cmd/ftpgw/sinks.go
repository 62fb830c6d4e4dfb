// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/audit/forward"
	"github.com/ftpgw/ftpgw/internal/config"
)

const (
	// settleTime is how long a connection to a collector must stand after a record was sent for the record to count as received.
	settleTime = 10 * time.Second
	// farewell is how long the sinks have for the last records when the gateway stops. What they miss they get after the next start.
	farewell = 3 * time.Second
)

// sinks send the audit log to its receivers while the gateway runs.
type sinks struct {
	log     *audit.Log
	final   atomic.Uint64 // the last record, once the log is closed
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// openOutput prepares the standard output for a sink, where one goes there; nil where none does. It is called before the process confines
// itself.
func openOutput(cfg config.Audit, stdout io.Writer) (io.WriteCloser, error) {
	for _, s := range cfg.Sinks {
		if s.Type == config.SinkStdout {
			out, err := forward.NewOutput(stdout)
			if err != nil {
				return nil, fmt.Errorf("sink %q: %w", s.Name, err)
			}
			return out, nil
		}
	}
	return nil, nil
}

// startSinks begins to send. It fails where a position or a certificate cannot be read, and not where a receiver is away.
func startSinks(ctx context.Context, cfg config.Audit, log *audit.Log, stdout io.Writer, logger *slog.Logger) (*sinks, error) {
	s := &sinks{log: log}
	var list []*forward.Forwarder
	for _, sink := range cfg.Sinks {
		open, settle, err := openSink(sink, stdout)
		if err != nil {
			return nil, err
		}
		f, err := forward.New(forward.Options{
			Name: sink.Name, Dir: cfg.Dir, Durable: log.Durable, Final: s.last, Open: open, Settle: settle, Logger: logger,
		})
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, f := range list {
		s.running.Go(func() { f.Run(ctx) })
	}
	return s, nil
}

// last tells the forwarders where the log ends, once it does.
func (s *sinks) last() (uint64, bool) {
	n := s.final.Load()
	return n, n > 0
}

// close ends the log and then the sinks, which get a moment for its last records.
func (s *sinks) close() error {
	err := s.log.Close()
	s.final.Store(s.log.Durable())
	timer := time.AfterFunc(farewell, s.cancel)
	defer timer.Stop()
	defer s.cancel()
	s.running.Wait() // no longer than the farewell: the end of a forwarder's context ends what it sends
	return err
}

func openSink(s config.Sink, stdout io.Writer) (open func(context.Context) (forward.Conn, error), settle time.Duration, err error) {
	format := forward.JSON
	if s.Format == "cef" {
		format = forward.CEF(version())
	}
	switch s.Type {
	case config.SinkStdout:
		return forward.Stream(stdout, format), 0, nil
	case config.SinkJournald:
		return forward.Journal(forward.JournalSocket, format), 0, nil
	}
	tlsConfig, err := sinkTLS(s)
	if err != nil {
		return nil, 0, fmt.Errorf("sink %q: %w", s.Name, err)
	}
	if s.Transport != "udp" {
		settle = settleTime
	}
	return forward.Syslog(s.Transport, s.Address, tlsConfig, format), settle, nil
}

func sinkTLS(s config.Sink) (*tls.Config, error) {
	if s.Transport != "tls" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CA == "" {
		return c, nil
	}
	text, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", s.CA)
	}
	return c, nil
}
