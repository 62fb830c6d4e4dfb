// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"strconv"
	"testing"
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

func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 50} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			seg := &spy{}
			l := openSegment(b, b.TempDir(), Options{}, seg)
			work := make(chan struct{}, callers)
			done := make(chan error, callers)
			b.ResetTimer()
			for range callers {
				go func() {
					var err error
					for range work {
						if e := l.Record(b.Context(), sample()); e != nil {
							err = e
						}
					}
					done <- err
				}()
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(seg.syncs.Load())/float64(b.N), "fsyncs/op")
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkNote(b *testing.B) {
	l := open(b, b.TempDir())
	for b.Loop() {
		if err := l.Note(sample()); err != nil {
			b.Fatal(err)
		}
	}
}
