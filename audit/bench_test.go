// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func sample() Record {
	return Record{
		Event: Command, Zone: "bay-7", Session: "k3v9qz1m-000042", Device: "relay-12", Peer: "10.7.0.12:49152",
		CommandFields: &CommandFields{
			Verb: "STOR", Args: "/events/20260102-030405.cfg", Code: 226, Text: "Transfer complete.",
			Preliminary: []string{"150 Ready to receive."}, Duration: 12345,
		},
	}
}

// BenchmarkRecord is what a device waits for whose reply a record gates: with one session and with 50 that do nothing else. It reports
// the median and the 99th percentile of the time that Record takes, and fsyncs per record.
func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 50} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			seg := &spy{}
			l := openSegment(b, b.TempDir(), Options{}, seg)
			times := make([]time.Duration, b.N)
			var next atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for range callers {
				running.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						begin := time.Now()
						if err := l.Record(b.Context(), sample()); err != nil {
							b.Error(err)
						}
						times[i-1] = time.Since(begin)
					}
				})
			}
			running.Wait()
			b.StopTimer()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(seg.syncs.Load())/float64(b.N), "fsyncs/op")
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkCommands is the throughput of what 50 sessions do: 19 commands, and then something that waits. It reports records per second
// and fsyncs per batch, which are never more than one.
func BenchmarkCommands(b *testing.B) {
	const callers, gated = 50, 20
	seg := &spy{}
	l := openSegment(b, b.TempDir(), Options{}, seg)
	var next atomic.Int64
	var running sync.WaitGroup
	b.ResetTimer()
	for range callers {
		running.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				err := l.Note(sample())
				if i%gated == 0 {
					err = l.Record(b.Context(), sample())
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	running.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(seg.syncs.Load())/float64(seg.writes.Load()), "fsyncs/batch")
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkVerify reads a log of some files, one record an operation. It reports megabytes and records per second, and allocates nothing
// that grows with the log.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := signed(b, dir, Options{SegmentSize: 16 << 20, noKeeper: true})
	const callers = 50 // writes are batched
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() {
			for range b.N/callers + min(1, max(0, b.N%callers-i)) {
				if err := l.Note(sample()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	running.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	v, err := Verify(b.Context(), dir, VerifyOptions{})
	b.StopTimer()
	if err != nil || v.Last < uint64(b.N) {
		b.Fatalf("%+v, %v", v, err)
	}
	b.ReportMetric(float64(v.Last)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(v.Bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}
