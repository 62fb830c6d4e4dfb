// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// follow collects the sequence numbers that a follower shows until the last one is last.
func follow(t *testing.T, dir string, after, last uint64, up func() uint64) []uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var list []uint64
	done := errors.New("done")
	err := Follow(ctx, dir, after, up, func(seq uint64, line []byte) error {
		r, err := ParseLine(line)
		if err != nil || r.Seq != seq {
			t.Errorf("record %d is %+v, %v", seq, r, err)
		}
		list = append(list, seq)
		if seq == last {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("after %d records: %v", len(list), err)
	}
	return list
}

// A follower sees every record once and in order, wherever it begins, while segments come, are compressed and end.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	many(t, dir, 40)
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		l, err := Open(dir, Options{SegmentSize: 4096})
		if err != nil {
			t.Error(err)
			return
		}
		for range 100 {
			if err := l.Record(context.Background(), sample()); err != nil {
				t.Error(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, after := range []uint64{0, 1, 17, 40, 45, 100} {
		list := follow(t, dir, after, 140, nil)
		for i, seq := range list {
			if seq != after+uint64(i)+1 {
				t.Fatalf("after %d: record %d in the place of %d", after, seq, after+uint64(i)+1)
			}
		}
	}
	limit := uint64(20)
	list := follow(t, dir, 10, 60, func() uint64 { limit++; return limit })
	if len(list) != 50 {
		t.Errorf("with a bound that grows: %d records", len(list))
	}
}

// A follower that has read the beginning of a torn line is not led astray when that is cut off and the log goes on.
func TestFollowAcrossRecovery(t *testing.T) {
	dir := t.TempDir()
	line1, _ := two()
	write(t, filepath.Join(dir, first), line1+`{"time":"1999-01-02T03:04:05Z","seq":2,"prev":"`)
	shown := make(chan uint64, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- Follow(ctx, dir, 0, nil, func(seq uint64, line []byte) error {
			r, err := ParseLine(line)
			if err != nil || seq > 1 && r.Time.Year() == 1999 {
				t.Errorf("shown: %s, %v", line, err)
			}
			shown <- seq
			if seq == 3 {
				return errStop
			}
			return nil
		})
	}()
	if seq := <-shown; seq != 1 {
		t.Fatalf("record %d comes first", seq)
	}
	// The torn piece was read with the first line, in one go. The recovery takes its place.
	l := open(t, dir)
	if err := l.Record(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, errStop) {
		t.Errorf("the follower ends with %v", err)
	}
}

func TestFilter(t *testing.T) {
	size := int64(5)
	r := Record{
		Time: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), Event: TransferCommitted, Device: "relay-12", Session: "s", Zone: "z",
		TransferFields: &TransferFields{Path: "/events/a.cfg", Op: "upload", Bytes: &size, SHA256: "abcdef", Receipt: &Receipt{Path: "/ingest/a.cfg"}},
	}
	for _, f := range []Filter{
		{}, {Device: "relay-12"}, {Event: "transfer.*"}, {Event: "trans*"}, {Event: "transfer."}, {Event: "transfer.committed"}, {Path: "/events/*"},
		{Path: "/ingest/a.cfg"}, {Digest: "ABC"}, {From: r.Time}, {To: r.Time.Add(1)}, {Zone: "z", Session: "s", Digest: "abcdef"},
	} {
		if !f.Match(r) {
			t.Errorf("%+v does not match", f)
		}
	}
	for _, f := range []Filter{
		{Device: "relay"}, {Event: "transfer"}, {Event: "command"}, {Event: "trans"}, {Path: "/events"}, {Digest: "b"}, {From: r.Time.Add(1)}, {To: r.Time},
		{Zone: "x"}, {Session: "x"},
	} {
		if f.Match(r) {
			t.Errorf("%+v matches", f)
		}
	}
	if (Filter{Path: "/*"}).Match(Record{}) || (Filter{Digest: "a"}).Match(Record{}) {
		t.Error("a record without a file matches")
	}
}
