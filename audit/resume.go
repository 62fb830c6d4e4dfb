// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/ftpgw/ftpgw/internal/durable"
)

const (
	// firstRetry is how long a log that has failed waits before it is tried again; the time doubles with each failure up to longRetry.
	firstRetry = time.Second
	longRetry  = 30 * time.Second
	// room is how much there must be before a log goes on, in bytes, so that it does not fail again with the next batch.
	room = 256 << 10
	// roomFile is written to find that out. Its name is that of a temporary, which the next Open removes where it was left.
	roomFile = ".room.tmp"
)

// errNotOurs says that the files are not those that were written. Nothing is appended to them: a start of the program, or an operator,
// has to find out what they are.
var errNotOurs = errors.New("the log is not as it was written")

// extent is how far a log goes.
type extent struct {
	segment uint64 // its number
	size    int64  // of the segment in bytes
	seq     uint64 // of the last record
	hash    tlog.Hash
}

func (at *position) extent() extent {
	return extent{at.segment.number, at.size, at.chain.seq(), at.chain.prev}
}

// gap is a time in which the log took nothing.
type gap struct {
	since   time.Time
	refused uint64        // records whose senders were told so
	closing bool          // the log is tried with the record of it
	pause   time.Duration // before the last attempt to end it
}

// fail stops the log: err is what everybody hears who waits, and who comes before it works again.
func (l *Log) fail(err error, batch []entry) {
	err = errors.Join(err, l.awaitSync()) // what that has brought to stable storage is there
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	l.mu.Lock()
	queued := l.queue
	l.queue = nil
	l.err = err
	told := slices.Concat(l.waiting, batch, queued)
	for _, e := range told {
		if !e.own {
			l.refused++
		}
	}
	close(l.failed)
	l.mu.Unlock()
	l.waiting = nil
	l.freeSlots(queued)
	release(told, err)
	if !l.gap.closing { // or nobody was told that it works again
		l.tellFailure(err)
	}
	l.gap.closing = false
}

// resume tries again and again to go on with a log that has failed. It returns false when the log is closed first.
func (l *Log) resume() bool {
	if l.gap.since.IsZero() {
		l.gap.since = later(time.Time{}, l.clock())
	}
	for {
		l.gap.pause = min(max(2*l.gap.pause, firstRetry), longRetry)
		if !l.await(l.gap.pause) {
			return false
		}
		if l.reopen() == nil {
			l.goOn()
			return true
		}
	}
}

// await lets a pause go by. It returns false when the log is closed first.
func (l *Log) await(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-l.closing:
			return false
		case asked := <-l.asked:
			close(asked)
		case <-timer.C:
			return true
		}
	}
}

// reopen finds the end of the log in its files, as a start of the program would. What was written behind the last fsync that went well
// is written once more: after an fsync that failed the kernel takes those pages for clean, and another fsync would say nothing of
// them (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
func (l *Log) reopen() error {
	if err := l.usable(); err != nil {
		return err
	}
	list, err := segments(l.dir)
	if err != nil {
		return err
	}
	if len(list) == 0 || list[len(list)-1].compressed {
		return errNotOurs
	}
	at := position{segment: list[len(list)-1]}
	torn, err := l.reread(&at)
	if err != nil {
		return err
	}
	from := int64(0)
	if at.segment.number == l.sure.segment {
		from = l.sure.size
	}
	if err := rewrite(at.segment.path(), from, at.size); err != nil {
		return err
	}
	if err := at.cutTorn(torn); err != nil {
		return err
	}
	file, err := l.openSegment(at.segment.path())
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	_ = l.file.Close() // it has failed already
	l.file, l.at = file, at
	l.whole = at.extent()
	l.sure = l.whole
	l.durable.Store(at.chain.seq())
	return nil
}

// usable reports why it is of no use to look at the log: the directory is not the one that is locked, or has no room.
func (l *Log) usable() error {
	ours, err := l.lock.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(filepath.Join(l.dir, lockFile))
	if err != nil {
		return err
	}
	if !os.SameFile(ours, there) {
		return fmt.Errorf("%w: its lock is another file", errNotOurs)
	}
	path := filepath.Join(l.dir, roomFile)
	if err := durable.WriteFile(path, make([]byte, room), filePerm); err != nil {
		return err
	}
	return durable.Remove(path)
}

// reread reads the last segment. All that was written without an error must be there: whoever recorded it may have been told so, and
// a reader may have seen it.
func (l *Log) reread(at *position) (torn []byte, err error) {
	found := false
	meet := func(c *chain) {
		if c.seq() == l.whole.seq {
			found = c.prev == l.whole.hash
		}
	}
	torn, err = at.replay(func(r step) {
		meet(r.before)
	})
	if err != nil {
		return nil, err
	}
	meet(&at.chain)
	if !found {
		return nil, fmt.Errorf("%w: record %d is not there", errNotOurs, l.whole.seq)
	}
	return torn, nil
}

// rewrite writes a part of a file once more, so that an fsync that goes well says that it is on stable storage.
func rewrite(path string, from, to int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	piece := make([]byte, 256<<10)
	for from < to {
		n, err := f.ReadAt(piece[:min(int64(len(piece)), to-from)], from)
		if err != nil {
			return fmt.Errorf("read the end of the audit log: %w", err)
		}
		if _, err := f.WriteAt(piece[:n], from); err != nil {
			return fmt.Errorf("write the end of the audit log again: %w", err)
		}
		from += int64(n)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("fsync the end of the audit log: %w", err)
	}
	return nil
}

// goOn takes records again. The first one is that there was a gap.
func (l *Log) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gap.refused += l.refused
	l.gap.closing = true
	r := Record{Event: LogResumed, Cause: l.err.Error(), Detail: map[string]string{
		"failed": l.gap.since.Format(time.RFC3339Nano), "refused": strconv.FormatUint(l.gap.refused, 10),
	}}
	l.last = later(l.last, l.clock())
	if body, err := encodeBody(r); err == nil { // it always does: there is nothing in it that JSON could not hold
		// It gates, be it that nobody listens: it is on stable storage before the log is said to work.
		l.queue = append(l.queue, entry{at: l.last, body: body, done: make(chan error, 1), gate: true, own: true})
	}
	l.err, l.refused, l.failed = nil, 0, make(chan struct{})
	l.signal()
}
