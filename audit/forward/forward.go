// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/durable"
)

const (
	firstPause = time.Second      // before a receiver that is away is tried again; doubled each time
	longPause  = 30 * time.Second // and never longer
	savePeriod = time.Second      // between two writes of the position
	// finalPeriod is how often it is looked whether the log is closed and all of it sent.
	finalPeriod = 100 * time.Millisecond
)

// Conn is a connection to a receiver. It is used by one goroutine, but for Close.
type Conn interface {
	// Send hands over one record; line is its line in the log.
	Send(r audit.Record, line []byte) error
	// Lost is closed when the receiver is known to be gone. It may be nil.
	Lost() <-chan struct{}
	// Close ends a Send that is under way; it is called once.
	Close() error
}

// Options say what is sent, and where.
type Options struct {
	Name string // of the receiver: of its position file, and in the operator log
	Dir  string // of the log
	// Durable is the last record that may be sent.
	Durable func() uint64
	// Final is the last record that there will be, and true, once that is known: then Run ends behind it.
	Final func() (uint64, bool)
	Open  func(ctx context.Context) (Conn, error)
	// Settle is how long a connection must stand after a record was sent for the record to count as received.
	Settle time.Duration
	Logger *slog.Logger
}

// Forwarder sends a log to one receiver.
type Forwarder struct {
	Options
	settled uint64 // the last record that counts as received
	saved   uint64 // what the position file says
	savedAt time.Time
	last    atomic.Uint64 // the last record that was sent
	sent    []mark        // marks of what was sent over this connection and is not settled yet, a savePeriod apart
}

// mark says when a record was sent.
type mark struct {
	seq uint64
	at  time.Time
}

// errFinal ends a log that is closed.
var errFinal = errors.New("all records are sent")

// New makes a Forwarder that goes on where the last one of this name has stopped.
func New(o Options) (*Forwarder, error) {
	f := &Forwarder{Options: o}
	text, err := os.ReadFile(f.positionFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return nil, fmt.Errorf("position of the receiver %s: %w", o.Name, err)
	}
	if f.settled, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
		return nil, fmt.Errorf("%s does not hold a sequence number; remove it to have everything sent again", f.positionFile())
	}
	f.saved = f.settled
	f.last.Store(f.settled)
	return f, nil
}

func (f *Forwarder) positionFile() string { return filepath.Join(f.Dir, "sink-"+f.Name+".position") }

// Run sends until ctx ends, or until all of a closed log is sent.
func (f *Forwarder) Run(ctx context.Context) {
	pause := firstPause
	for {
		before := f.settled
		err := f.connect(ctx)
		f.save(true)
		if ctx.Err() != nil || errors.Is(err, errFinal) {
			return
		}
		if f.settled > before {
			pause = firstPause
		}
		f.Logger.Warn("audit records wait for their receiver", "sink", f.Name, "settled", f.settled, "retry_in", pause, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// connect sends over one connection until it ends, and returns why it did.
func (f *Forwarder) connect(ctx context.Context) (err error) {
	conn, err := f.Open(ctx)
	if err != nil {
		return err
	}
	closeOnce := sync.OnceValue(conn.Close)
	defer func() { err = errors.Join(err, closeOnce()) }()
	f.Logger.Info("audit records go to their receiver", "sink", f.Name, "after", f.settled)
	f.sent = nil
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		cancel(f.watch(ctx, conn))
	}()
	defer func() { cancel(nil); <-watching }()
	// A receiver that takes nothing does not hold up the end: what was sent last is sent again.
	defer context.AfterFunc(ctx, func() { _ = closeOnce() })()
	return audit.Follow(ctx, f.Dir, f.settled, f.Durable, func(seq uint64, line []byte) error {
		r, err := audit.ParseLine(line)
		if err != nil {
			return err
		}
		if err := conn.Send(r, line); err != nil {
			return err
		}
		if err := f.note(conn, seq); err != nil {
			return err
		}
		f.last.Store(seq)
		return nil
	})
}

// watch waits for a reason to end a connection, and returns it.
func (f *Forwarder) watch(ctx context.Context, conn Conn) error {
	ticker := time.NewTicker(finalPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-conn.Lost():
			return errors.New("the receiver has closed the connection")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if last, known := f.Final(); known && f.last.Load() >= last {
				return errFinal
			}
		}
	}
}

// acknowledger is a connection that knows what has come to the other machine.
type acknowledger interface {
	// Unacknowledged is the number of bytes that have not.
	Unacknowledged() (int, error)
}

// note remembers that a record was sent, and settles those that were sent long enough ago. What waits in our own kernel is not sent.
func (f *Forwarder) note(conn Conn, seq uint64) error {
	now := time.Now()
	if f.Settle == 0 {
		f.settled = seq
		f.save(false)
		return nil
	}
	if n := len(f.sent); n == 0 || now.Sub(f.sent[n-1].at) >= savePeriod {
		f.sent = append(f.sent, mark{seq, now})
	}
	if now.Sub(f.sent[0].at) < f.Settle {
		return nil
	}
	if a, ok := conn.(acknowledger); ok {
		if n, err := a.Unacknowledged(); err != nil || n > 0 {
			return err
		}
	}
	for len(f.sent) > 0 && now.Sub(f.sent[0].at) >= f.Settle {
		f.settled, f.sent = f.sent[0].seq, f.sent[1:]
	}
	f.save(false)
	return nil
}

// save writes the position where it has changed, but not all the time. That it cannot be written costs no record, only that some are
// sent twice.
func (f *Forwarder) save(now bool) {
	if f.settled == f.saved || !now && time.Since(f.savedAt) < savePeriod {
		return
	}
	f.savedAt = time.Now()
	if err := durable.WriteFile(f.positionFile(), []byte(strconv.FormatUint(f.settled, 10)+"\n"), 0o640); err != nil {
		f.Logger.Warn("position of an audit receiver", "sink", f.Name, "error", err)
		return
	}
	f.saved = f.settled
}
