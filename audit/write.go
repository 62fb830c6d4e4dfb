// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// maxBuffer is how much of the encoding buffer is kept from one batch to the next, in bytes.
const maxBuffer = 1 << 20

// write is the writer goroutine: it writes until the log is closed and its queue is empty. When the log has failed it is tried again.
func (l *Log) write() {
	defer close(l.done)
	for l.writeOn() && l.resume() {
	}
}

// writeOn writes batch after batch. It returns false when the log is closed, and true when it has failed. What is on stable storage is
// the business of another goroutine at the same time, so that a note never waits for the disk.
func (l *Log) writeOn() (failed bool) {
	timer := time.NewTimer(noteDelay)
	timer.Stop()
	defer timer.Stop()
	var tick <-chan time.Time
	if l.key != nil && l.interval > 0 {
		t := time.NewTicker(l.interval)
		defer t.Stop()
		tick = t.C
	}
	armed := false // the timer runs
	for {
		due, closing, sign := false, false, false
		var err error
		select {
		case <-l.wake:
		case result := <-l.synced:
			err = l.endSync(result)
		case <-timer.C:
			due, armed = true, false
		case <-tick:
			sign = true
		case asked := <-l.asked:
			if err = l.awaitSync(); err == nil {
				err = l.sync()
			}
			close(asked)
		case <-l.closing:
			closing = true // nothing is accepted any more: what is queued now is the last batch
		}
		batch, now := l.take()
		if err == nil {
			err = l.writeBatch(batch)
		}
		if err == nil {
			batch = l.releaseNotes(batch)
			err = l.conclude(now, due, sign, closing)
		}
		switch unsynced := l.whole.seq > l.sure.seq && l.syncing == nil; {
		case err != nil:
			l.fail(err, batch)
			return true
		case closing:
			return false
		case unsynced != armed:
			if armed = unsynced; armed {
				timer.Reset(noteDelay)
			} else {
				timer.Stop()
			}
		}
	}
}

// conclude does what is to be done behind a batch: it has it fsynced where somebody waits or it is time, and signs and rotates.
func (l *Log) conclude(now time.Time, due, sign, closing bool) error {
	full := !closing && l.isFull(now)
	if !sign && !closing && !full {
		if len(l.waiting) > 0 || due {
			l.beginSync()
		}
		return nil
	}
	if err := l.settle(); err != nil {
		return err
	}
	if sign || closing {
		if err := l.checkpoint(now); err != nil {
			return err
		}
	}
	if full {
		return l.rotate(now)
	}
	return nil
}

// take empties the queue and makes room for those who wait. The time is for what the writer itself has to record behind the batch:
// what is accepted later is not before it.
func (l *Log) take() (batch []entry, now time.Time) {
	l.mu.Lock()
	batch, l.queue = l.queue, nil
	l.last = later(l.last, l.clock())
	now = l.last
	l.mu.Unlock()
	l.freeSlots(batch)
	return batch, now
}

func (l *Log) freeSlots(batch []entry) {
	for _, e := range batch {
		if !e.own {
			<-l.slots
		}
	}
}

func (l *Log) writeBatch(batch []entry) error {
	if len(batch) == 0 {
		return nil
	}
	l.buf = l.buf[:0]
	for _, e := range batch {
		l.buf = l.at.chain.append(l.buf, later(l.at.chain.time, e.at), e.body)
	}
	if _, err := l.file.Write(l.buf); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	if l.at.size == 0 {
		l.at.born = batch[0].at
	}
	l.at.size += int64(len(l.buf))
	l.whole = l.at.extent()
	if cap(l.buf) > maxBuffer {
		l.buf = nil
	}
	return nil
}

func (l *Log) tellFailure(err error) {
	if l.onFailure != nil {
		l.onFailure(err)
	}
}

// checkpoint signs the log as it stands, which is on stable storage, and puts that on record, so that it leaves with the records.
// The file "checkpoint" covers that record, too: nothing can be cut off behind it unseen.
func (l *Log) checkpoint(now time.Time) error {
	if l.key == nil || l.at.chain.seq() == l.signed {
		return nil
	}
	c, err := sign(&l.at.chain.tree, l.key)
	if err != nil {
		return err
	}
	if err := l.own(now, Record{Event: LogCheckpoint, Detail: map[string]string{"note": c.Note, openSeconds: formatOpen(l.openTime())}}); err != nil {
		return err
	}
	if c, err = sign(&l.at.chain.tree, l.key); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(l.dir, checkpointFile), []byte(c.Note), filePerm); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	l.signed = l.at.chain.seq()
	l.stamp.Store(&stamp{through: l.signed, at: now})
	return nil
}

// own puts a record of the writer itself on stable storage.
func (l *Log) own(now time.Time, r Record) error {
	body, err := encodeBody(r)
	if err != nil {
		return err
	}
	if err := l.writeBatch([]entry{{at: now, body: body}}); err != nil {
		return err
	}
	return l.sync()
}
