// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"time"
)

// maxBuffer is how much of the encoding buffer is kept from one batch to the next, in bytes.
const maxBuffer = 1 << 20

// write is the writer goroutine: batch after batch until the log is closed and its queue is empty, or has failed.
func (l *Log) write() {
	defer close(l.done)
	timer := time.NewTimer(noteDelay)
	timer.Stop()
	defer timer.Stop()
	unsynced := false // something was written since the last fsync; then the timer runs
	for {
		due, closing := false, false
		select {
		case <-l.wake:
		case <-timer.C:
			due = true
		case <-l.closing:
			closing = true // nothing is accepted any more: what is queued now is the last batch
		}
		batch := l.take()
		written, waited := len(batch) > 0, hasWaiter(batch)
		err := l.writeBatch(batch)
		if err == nil && (waited || (unsynced || written) && (due || closing)) {
			err = l.sync()
			unsynced, written = false, false
			timer.Stop()
		}
		if err != nil {
			l.fail(err, batch)
			return
		}
		release(batch, nil)
		if written && !unsynced {
			unsynced = true
			timer.Reset(noteDelay)
		}
		if closing {
			return
		}
	}
}

// take empties the queue and makes room for those who wait.
func (l *Log) take() []entry {
	l.mu.Lock()
	batch := l.queue
	l.queue = nil
	l.mu.Unlock()
	for range batch {
		<-l.slots
	}
	return batch
}

func (l *Log) writeBatch(batch []entry) error {
	if len(batch) == 0 {
		return nil
	}
	l.buf = l.buf[:0]
	for i, e := range batch {
		l.buf = appendLine(l.buf, e.at, l.seq+uint64(i)+1, e.body)
	}
	if _, err := l.file.Write(l.buf); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.seq += uint64(len(batch))
	if cap(l.buf) > maxBuffer {
		l.buf = nil
	}
	return nil
}

func (l *Log) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("fsync the audit log: %w", err)
	}
	return nil
}

// fail ends the log: err is what everybody hears who waits, and who comes later.
func (l *Log) fail(err error, batch []entry) {
	l.mu.Lock()
	l.err = err
	batch = append(batch, l.queue...)
	l.queue = nil
	l.mu.Unlock()
	close(l.failed)
	release(batch, err)
}

func hasWaiter(batch []entry) bool {
	for _, e := range batch {
		if e.done != nil {
			return true
		}
	}
	return false
}

func release(batch []entry, err error) {
	for _, e := range batch {
		if e.done != nil {
			e.done <- err
		}
	}
}
