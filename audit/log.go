// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// ErrClosed is returned for what is recorded after Close.
var ErrClosed = errors.New("the audit log is closed")

// ErrFailed is what every error Is that a log which cannot be written gives.
var ErrFailed = errors.New("the audit log cannot be written")

const (
	defaultQueue = 4096
	// noteDelay bounds how long a Note may be without fsync.
	noteDelay = time.Second
)

// appender is the segment that is written.
type appender interface {
	io.WriteCloser
	Sync() error
}

// Log is an audit log open for writing. Its methods may be called by any goroutine.
type Log struct {
	// Set by Open.
	dir          string
	instance     string
	lock         *os.File
	clock        func() time.Time
	key          note.Signer // nil: no checkpoints
	interval     time.Duration
	openSegment  func(path string) (appender, error)
	segmentSize  int64
	segmentAge   time.Duration
	retention    time.Duration
	openBefore   time.Duration        // in earlier runs
	running      func() time.Duration // since Open
	spaceWarning int64
	onSpace      func(low bool, free int64)
	onFailure    func(err error)
	slots        chan struct{}      // one token for each record in the queue
	wake         chan struct{}      // holds a token when the queue may be not empty, or the log is closing
	asked        chan chan struct{} // see Alive
	closing      chan struct{}      // closed when Close begins
	done         chan struct{}      // closed when the writer has ended
	kept         chan struct{}      // closed when the keeper has ended
	rotated      chan struct{}      // holds a token when a segment was finished

	durable atomic.Uint64         // the last record that is on stable storage
	stamp   atomic.Pointer[stamp] // the last checkpoint of this run; nil before it

	mu      sync.Mutex
	queue   []entry
	last    time.Time // of the youngest entry
	closed  bool
	err     error         // why nothing is taken; nil as long as the log works
	failed  chan struct{} // closed when err is set, and replaced when the log works again
	refused uint64        // records that were not taken since err was set

	// Of the writer goroutine.
	file    appender
	syncing *fsync     // nil where none is under way
	synced  chan error // its result
	waiting []entry    // written, and to be on stable storage before they are answered
	at      position   // its segment, size and chain are kept up to date
	whole   extent     // that was written without an error
	sure    extent     // that is on stable storage
	gap     gap        // that is not yet on record
	buf     []byte
	signed  uint64 // records that the last checkpoint covers

	closeOnce sync.Once
	closeErr  error
}

// entry is a record in the queue.
type entry struct {
	at   time.Time
	body []byte
	done chan<- error // with room for one
	gate bool         // done is for stable storage; otherwise it is enough that the record is written
	own  bool         // the log's own: it takes no slot
}

func newLog(opts Options, at position) *Log {
	if opts.Queue == 0 {
		opts.Queue = defaultQueue
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.running == nil {
		opened := time.Now()
		opts.running = func() time.Duration { return time.Since(opened) } // by the monotonic clock
	}
	l := &Log{
		dir: at.segment.dir, clock: opts.Clock, interval: opts.CheckpointInterval,
		slots:       make(chan struct{}, opts.Queue),
		wake:        make(chan struct{}, 1),
		failed:      make(chan struct{}),
		asked:       make(chan chan struct{}),
		closing:     make(chan struct{}),
		done:        make(chan struct{}),
		kept:        make(chan struct{}),
		rotated:     make(chan struct{}, 1),
		synced:      make(chan error, 1),
		segmentSize: opts.SegmentSize, segmentAge: opts.SegmentAge, retention: opts.Retention,
		spaceWarning: opts.SpaceWarning, onSpace: opts.OnSpace, onFailure: opts.OnFailure,
		openBefore: at.open, running: opts.running,
		last:   at.chain.time,
		at:     at,
		signed: uint64(at.signed),
	}
	l.durable.Store(at.chain.seq())
	l.whole = at.extent()
	l.sure = l.whole
	return l
}

// Instance identifies this installation: 8 characters [a-z0-9], made once at random and kept with the log.
func (l *Log) Instance() string { return l.instance }

// Durable is the sequence number of the last record that is known to be on stable storage.
func (l *Log) Durable() uint64 { return l.durable.Load() }

// Failed is closed when the log cannot be written: nothing is accepted then, and Err says why. When the log works again there is
// another channel.
func (l *Log) Failed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Err is why the log cannot be written at present; nil as long as it works.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Record appends r, with the time and the sequence number that are next, and returns nil when it is on stable storage. It blocks
// while the queue is full. With an error of ctx r may come into the log all the same, when it was accepted before ctx ended.
func (l *Log) Record(ctx context.Context, r Record) error {
	return l.accept(ctx, r, true)
}

// Note appends r in order like Record, and returns nil when it is written to the file: it survives the end of this program, however that
// comes, but not that of the machine. It is on stable storage within one second or with the next Record, whichever comes first. It never
// waits for the disk, unless the queue is full.
func (l *Log) Note(r Record) error { return l.accept(context.Background(), r, false) }

// accept puts a record into the queue and waits for it.
func (l *Log) accept(ctx context.Context, r Record, gate bool) error {
	body, err := encodeBody(r)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	if err := l.enqueue(ctx, entry{body: body, done: done, gate: gate}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the audit record: %w", context.Cause(ctx))
	}
}

func (l *Log) enqueue(ctx context.Context, e entry) error {
	for {
		select {
		case l.slots <- struct{}{}:
			return l.queueUp(e)
		case <-l.Failed():
			if err := l.refuse(); err != nil {
				return err
			}
		case <-l.closing:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the audit queue: %w", context.Cause(ctx))
		}
	}
}

// refuse counts a record that is not taken, and says why; nil where the log works again in the meantime.
func (l *Log) refuse() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.refused++
	}
	return l.err
}

// queueUp puts a record that has its slot into the queue.
func (l *Log) queueUp(e entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		l.refused++
		<-l.slots
		return l.err
	case l.closed:
		<-l.slots
		return ErrClosed
	}
	l.last = later(l.last, l.clock())
	e.at = l.last
	l.queue = append(l.queue, e)
	l.signal()
	return nil
}

// later is now as the log writes it: in UTC, without the monotonic reading, and not before last.
func later(last, now time.Time) time.Time {
	now = now.Round(0).UTC()
	if now.Before(last) {
		return last
	}
	return now
}

// signal wakes the writer.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Close writes and fsyncs what was accepted, signs the last checkpoint, stops the writer and releases the lock. It returns the error of
// the log if there is one at this time. Further calls do nothing and return the same.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.closing)
		<-l.done
		<-l.kept
		l.closeErr = errors.Join(l.Err(), l.file.Close(), l.lock.Close())
	})
	return l.closeErr
}
