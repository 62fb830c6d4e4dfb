// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// sink is a far side that takes everything and keeps nothing, and gives files of one size that hold nothing.
type sink struct {
	memremote.Remote
	size int64
}

func (s *sink) Begin(context.Context, gateway.Target) (gateway.Upload, error) {
	return &sunk{buffer: make([]byte, 255<<10)}, nil
}

func (s *sink) Open(context.Context, gateway.Location, int64) (gateway.Download, error) {
	return &endless{size: s.size, buffer: make([]byte, 255<<10)}, nil
}

type sunk struct {
	buffer []byte
	size   int64
}

func (s *sunk) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return len(p), nil
}

func (s *sunk) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		got, err := io.ReadFull(r, s.buffer)
		n += int64(got)
		s.size += int64(got)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (s *sunk) Commit(_ context.Context, t gateway.Terms) (gateway.Receipt, error) {
	return gateway.Receipt{Bytes: s.size, Fsynced: true, Atomic: true, Verified: gateway.VerifySize}, t.Hold()
}

func (s *sunk) Abort(error) {}

type endless struct {
	size   int64
	buffer []byte
}

func (e *endless) Info() fs.FileInfo { return endlessInfo{e.size} }
func (e *endless) Close() error      { return nil }

func (e *endless) WriteTo(w io.Writer) (n int64, err error) {
	for n < e.size && err == nil {
		var m int
		m, err = w.Write(e.buffer[:min(int64(len(e.buffer)), e.size-n)])
		n += int64(m)
	}
	return n, err
}

type endlessInfo struct{ size int64 }

func (endlessInfo) Name() string       { return "x" }
func (i endlessInfo) Size() int64      { return i.size }
func (endlessInfo) Mode() fs.FileMode  { return 0o644 }
func (endlessInfo) ModTime() time.Time { return time.Unix(0, 0) }
func (endlessInfo) IsDir() bool        { return false }
func (endlessInfo) Sys() any           { return nil }

// BenchmarkPath is the path of a file without its two ends: the policy's decisions, counting and SHA-256. What the records cost is measured
// in package audit.
func BenchmarkPath(b *testing.B) {
	for _, size := range []int64{4 << 10, 1 << 20, 64 << 20} {
		p, err := policy.New([]policy.Rule{all("far")})
		if err != nil {
			b.Fatal(err)
		}
		g := gateway.New(gateway.Options{
			Policy: p, Remotes: map[string]gateway.Remote{"far": &sink{size: size}}, Log: noLog{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		})
		s := gateway.Session{ID: "1", Zone: "bay", Device: "relay", Home: "/relay", Peer: netip.MustParseAddrPort("127.0.0.1:1")}
		run := func(name string, body func() error) {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				before := ownCPU(b)
				for b.Loop() {
					if err := body(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((ownCPU(b)-before).Seconds()*1e9/float64(b.N)/float64(size), "cpu-s/GB")
			})
		}
		run("upload", func() error {
			in, err := g.Receive(b.Context(), s, gateway.UploadRequest{Op: policy.Upload, Path: "/x", Declared: policy.SizeUnknown})
			if err != nil {
				return err
			}
			if _, err := in.Take(b.Context(), io.LimitReader(blank{}, size)); err != nil {
				return err
			}
			return in.Commit(b.Context(), gateway.Ending{})
		})
		run("download", func() error {
			out, err := g.Send(b.Context(), s, gateway.DownloadRequest{Path: "/x"})
			if err != nil {
				return err
			}
			if _, err := out.Bring(b.Context(), copied{make([]byte, 255<<10)}); err != nil {
				return err
			}
			return out.Finish(b.Context())
		})
	}
}

// blank is read as fast as memory is written, which stands for a socket.
type blank struct{}

func (blank) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// copied is written to as fast as memory is.
type copied struct{ to []byte }

func (c copied) Write(p []byte) (int, error) { return copy(c.to, p), nil }

// noLog takes everything.
type noLog struct{}

func (noLog) Record(context.Context, audit.Record) error { return nil }
func (noLog) Note(audit.Record) error                    { return nil }
func (noLog) Accepts(string) error                       { return nil }

// ownCPU is the CPU time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
