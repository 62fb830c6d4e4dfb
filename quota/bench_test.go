// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// A transfer of 1 MiB in pieces of 32 KiB under a device's and a rule's limits, beside a thousand busy accounts, without the disk: what
// counting costs. BenchmarkCharge is what the disk adds, shared by all transfers that end at a time.
func BenchmarkTransfer(b *testing.B) {
	s := open(b, b.TempDir(), time.Now)
	l := policy.Limits{FilesPerHour: 1 << 40, BytesPerDay: 1 << 60, Concurrent: 1 << 20, MaxFile: 1 << 40}
	s.mu.Lock()
	for i := range 1000 {
		for at := s.book.tick() - 86400; at < s.book.tick(); at += 900 {
			s.book.apply(use{Key: fmt.Sprintf("device/%d", i), At: at, Files: 1, Bytes: 1})
		}
	}
	s.mu.Unlock()
	bounds := []policy.Bound{{Limits: l, Device: "7"}, {Limits: l, Rule: "r", Device: "7"}}
	b.ReportAllocs()
	for b.Loop() {
		g, err := s.Begin(bounds, 0, Unknown)
		if err != nil {
			b.Fatal(err)
		}
		for range 32 {
			if err := g.Take(32 << 10); err != nil {
				b.Fatal(err)
			}
		}
		g.Close()
	}
}

func BenchmarkCharge(b *testing.B) {
	for _, devices := range []int{1, 50} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			s := open(b, b.TempDir(), time.Now)
			b.SetParallelism(devices) // times GOMAXPROCS
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := charge(s, 1); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
