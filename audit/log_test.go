// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// spy is a real segment that counts, blocks and fails as it is told.
type spy struct {
	appender
	writes, syncs atomic.Int64
	onWrite       func(n int64) error // called before the n-th write, which is not done when it fails
	onSync        func(n int64) error
}

func (s *spy) Write(p []byte) (int, error) {
	if n := s.writes.Add(1); s.onWrite != nil {
		if err := s.onWrite(n); err != nil {
			return 0, err
		}
	}
	return s.appender.Write(p)
}

func (s *spy) Sync() error {
	if n := s.syncs.Add(1); s.onSync != nil {
		if err := s.onSync(n); err != nil {
			return err
		}
	}
	return s.appender.Sync()
}

func openSegment(t testing.TB, dir string, opts Options, s *spy) *Log {
	t.Helper()
	l, err := openWith(dir, opts, func(path string) (appender, error) {
		f, err := durable.OpenAppend(path, filePerm)
		s.appender = f
		return s, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestConcurrent(t *testing.T) {
	const callers, each = 50, 40
	dir, seg := t.TempDir(), &spy{}
	l := openSegment(t, dir, Options{Queue: 16}, seg)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				r := Record{Event: Command, Session: strconv.Itoa(c), Detail: map[string]string{"i": strconv.Itoa(i)}}
				var err error
				if i%3 == 0 {
					err = l.Note(r)
				} else {
					err = l.Record(t.Context(), r)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if w, s := seg.writes.Load(), seg.syncs.Load(); s > w {
		t.Errorf("%d fsyncs for %d batches", s, w)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	list := records(t, dir)
	if len(list) != callers*each {
		t.Fatalf("%d records in the log, want %d", len(list), callers*each)
	}
	next := map[string]int{}
	for _, r := range list {
		if r.Detail["i"] != strconv.Itoa(next[r.Session]) {
			t.Fatalf("seq %d: caller %s wrote its record %s out of order", r.Seq, r.Session, r.Detail["i"])
		}
		next[r.Session]++
	}
}

// A record is on stable storage before Record returns: the bytes are in the file and an fsync came after them.
func TestRecordIsDurable(t *testing.T) {
	dir, seg := t.TempDir(), &spy{}
	l := openSegment(t, dir, Options{}, seg)
	defer func() { _ = l.Close() }()
	for n := int64(1); n <= 5; n++ {
		if err := l.Record(t.Context(), Record{Event: GatewayStart}); err != nil {
			t.Fatal(err)
		}
		if got := int64(len(records(t, dir))); got != n || seg.syncs.Load() < n {
			t.Errorf("after record %d: %d in the file, %d fsyncs", n, got, seg.syncs.Load())
		}
	}
}

// A full queue makes callers wait; nothing is dropped, and a caller may give up.
func TestFullQueueBlocks(t *testing.T) {
	dir := t.TempDir()
	entered, proceed := make(chan struct{}, 10), make(chan struct{})
	seg := &spy{onWrite: func(int64) error { entered <- struct{}{}; <-proceed; return nil }}
	l := openSegment(t, dir, Options{Queue: 2}, seg)
	accepted := make(chan error, 4)
	note := func(e Event) { accepted <- l.Note(Record{Event: e}) }
	go note(Command)
	<-entered // it is in the writer's hands
	for range 2 {
		go note(Command)
	}
	for len(l.slots) < 2 { // they fill the queue
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if err := l.Record(ctx, Record{Event: Command}); !errors.Is(err, gone) {
		t.Errorf("a record for a full queue and a caller that is gone: %v", err)
	}
	go note(SessionClose)
	select {
	case err := <-accepted:
		t.Fatalf("accepted beyond the queue: %v", err)
	default:
	}
	close(proceed)
	for range 4 {
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if list := records(t, dir); len(list) != 4 || list[3].Event != SessionClose {
		t.Errorf("the log has %+v", list)
	}
}

// The first error of a write or an fsync is everybody's: those in the batch, those in the queue, those who wait for room, and
// those who come later.
func TestFailureIsSticky(t *testing.T) {
	for name, errno := range map[string]syscall.Errno{"write": syscall.ENOSPC, "fsync": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			const callers = 20
			entered, proceed := make(chan struct{}), make(chan struct{})
			fault := func(n int64) error {
				if n < 2 {
					return nil
				}
				close(entered)
				<-proceed
				return errno
			}
			seg := &spy{onWrite: fault}
			if name == "fsync" {
				seg = &spy{onSync: fault}
			}
			dir := t.TempDir()
			l := openSegment(t, dir, Options{Queue: 4}, seg)
			if err := l.Record(t.Context(), Record{Event: GatewayStart}); err != nil {
				t.Fatal(err)
			}
			results := make(chan error, callers)
			for range callers {
				go func() { results <- l.Record(t.Context(), Record{Event: Command}) }()
			}
			<-entered
			select {
			case <-l.Failed():
				t.Error("failed before it failed")
			default:
			}
			close(proceed)
			for range callers {
				if err := <-results; !errors.Is(err, errno) {
					t.Errorf("a waiter got %v, want %v", err, errno)
				}
			}
			<-l.Failed()
			if err := l.Note(Record{Event: Command}); !errors.Is(err, errno) {
				t.Errorf("a later note: %v", err)
			}
			if err := l.Record(t.Context(), Record{Event: Command}); !errors.Is(err, errno) {
				t.Errorf("a later record: %v", err)
			}
			if err := l.Err(); !errors.Is(err, errno) {
				t.Errorf("Err: %v", err)
			}
			if err := l.Close(); !errors.Is(err, errno) {
				t.Errorf("Close: %v", err)
			}
			if list := records(t, dir); len(list) == 0 || list[0].Event != GatewayStart {
				t.Errorf("the record that was confirmed before is gone: %+v", list)
			}
			// Whatever the failure left is continued from.
			if err := open(t, dir).Record(t.Context(), Record{Event: GatewayStop}); err != nil {
				t.Error(err)
			}
			records(t, dir)
		})
	}
}

func TestClosed(t *testing.T) {
	l := open(t, t.TempDir())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Note(Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("note: %v", err)
	}
	if err := l.Record(t.Context(), Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("record: %v", err)
	}
	if err := l.Err(); err != nil {
		t.Errorf("Err of a log that worked: %v", err)
	}
}

// Close takes everything with it that was accepted, whoever records at that moment.
func TestCloseWhileRecording(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		l := open(t, dir)
		var confirmed atomic.Int64
		var wg sync.WaitGroup
		first := make(chan struct{}, 8)
		for range 8 {
			wg.Go(func() {
				for {
					err := l.Record(t.Context(), Record{Event: Command})
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					confirmed.Add(1)
					select {
					case first <- struct{}{}:
					default:
					}
				}
			})
		}
		<-first
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if got := int64(len(records(t, dir))); got != confirmed.Load() {
			t.Fatalf("%d in the log, %d confirmed", got, confirmed.Load())
		}
	}
}

func TestRestartContinues(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "audit")
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 3600))
	clock := func() time.Time { return start }
	var instance string
	for run := range 3 {
		// The clock goes back by an hour from run to run; the log does not.
		now := start.Add(-time.Duration(run) * time.Hour)
		l, err := Open(dir, Options{Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			instance = l.Instance()
		}
		if !regexp.MustCompile(`^[a-z0-9]{8}$`).MatchString(instance) || l.Instance() != instance {
			t.Errorf("run %d: instance %q, was %q", run, l.Instance(), instance)
		}
		for range 2 {
			if err := l.Record(t.Context(), Record{Event: GatewayStart}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	list := records(t, dir)
	if len(list) != 6 || !list[5].Time.Equal(clock()) || list[0].Time.Location() != time.UTC {
		t.Errorf("the log has %+v", list)
	}
	if line, _, _ := strings.Cut(read(t, filepath.Join(dir, "audit-00000001.jsonl")), "\n"); line !=
		`{"time":"2026-01-02T02:04:05.000000006Z","seq":1,"prev":"`+strings.Repeat("0", 64)+`","event":"gateway.start"}` {
		t.Errorf("the first line is %s", line)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	if _, err := Open(file, Options{}); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file in the place of the directory: %v", err)
	}
	if _, err := Open(dir, Options{Queue: -1}); err == nil {
		t.Error("a negative queue was accepted")
	}
	bad := t.TempDir()
	write(t, filepath.Join(bad, "instance"), "NOT ONE\n")
	if _, err := Open(bad, Options{}); err == nil || !strings.Contains(err.Error(), "instance") {
		t.Errorf("a bad instance: %v", err)
	}
	gone := fmt.Errorf("no segment: %w", syscall.EROFS)
	if _, err := openWith(dir, Options{}, func(string) (appender, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("a segment that cannot be opened: %v", err)
	}
	open(t, dir) // the lock was released
}
