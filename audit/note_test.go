// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"testing"
	"testing/synctest"
	"time"
)

// A note is in the file when it is accepted, and never waits for an fsync that somebody else waits for.
func TestNoteIsWritten(t *testing.T) {
	dir := t.TempDir()
	entered, proceed := make(chan struct{}), make(chan struct{})
	seg := &spy{onSync: func(n int64) error {
		if n == 1 {
			close(entered)
			<-proceed
		}
		return nil
	}}
	l := openSegment(t, dir, Options{}, seg)
	recorded := make(chan error, 1)
	go func() { recorded <- l.Record(t.Context(), Record{Event: LoginOK}) }()
	<-entered
	for n := range 3 {
		if err := l.Note(Record{Event: Command}); err != nil {
			t.Fatal(err)
		}
		if got := len(records(t, dir)); got != n+2 {
			t.Errorf("after note %d: %d records in the file", n, got)
		}
	}
	if n := l.Durable(); n != 0 {
		t.Errorf("record %d is durable before its fsync", n)
	}
	select {
	case err := <-recorded:
		t.Errorf("recorded before the fsync: %v", err)
	default:
	}
	close(proceed)
	if err := <-recorded; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Notes are written at once and fsynced within one second (of the bubble's clock), all of them by one fsync.
func TestNoteDelay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		seg := &spy{}
		l := openSegment(t, dir, Options{}, seg)
		for range 3 {
			if err := l.Note(Record{Event: Command}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := len(records(t, dir)); got != 3 || seg.syncs.Load() != 0 {
			t.Errorf("at once: %d in the file, %d fsyncs; want 3 and 0", got, seg.syncs.Load())
		}
		time.Sleep(time.Second) // of the bubble: returns when all are idle
		synctest.Wait()
		if seg.syncs.Load() != 1 {
			t.Errorf("after one second: %d fsyncs, want 1", seg.syncs.Load())
		}
		time.Sleep(time.Hour)
		if err := l.Record(t.Context(), Record{Event: Command}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if seg.syncs.Load() != 2 {
			t.Errorf("after a record: %d fsyncs, want 2", seg.syncs.Load())
		}
		if err := l.Note(Record{Event: Command}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if seg.syncs.Load() != 3 {
			t.Errorf("after close: %d fsyncs, want 3", seg.syncs.Load())
		}
	})
}
