// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"os"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// fsync is one that is under way.
type fsync struct {
	extent  extent  // of the log when it began
	waiting []entry // what is on stable storage with it
}

// releaseNotes answers those whose record was to be written and no more. All others wait for an fsync; nobody is left of the batch.
func (l *Log) releaseNotes(batch []entry) []entry {
	for _, e := range batch {
		if e.gate {
			l.waiting = append(l.waiting, e)
		} else {
			e.done <- nil
		}
	}
	return nil
}

// beginSync begins an fsync of what is written, where none is under way: then the next one begins behind it. It runs in a goroutine of its
// own, which ends before the writer does anything to the file but append to it.
func (l *Log) beginSync() {
	if l.syncing != nil {
		return
	}
	l.syncing = &fsync{l.whole, l.waiting}
	l.waiting = nil
	file := l.file
	go func() { l.synced <- syncFile(file) }()
}

// endSync takes the result of the fsync that was under way. Who waited for one that failed is answered by fail.
func (l *Log) endSync(err error) error {
	done := l.syncing
	l.syncing = nil
	if err != nil {
		l.waiting = append(done.waiting, l.waiting...)
		return err
	}
	l.confirm(done.extent)
	release(done.waiting, nil)
	return nil
}

// awaitSync waits for the fsync that is under way, if one is.
func (l *Log) awaitSync() error {
	if l.syncing == nil {
		return nil
	}
	return l.endSync(<-l.synced)
}

// settle waits until all that is written is on stable storage.
func (l *Log) settle() error {
	if err := l.awaitSync(); err != nil {
		return err
	}
	if l.whole == l.sure {
		return nil
	}
	return l.sync()
}

// sync is an fsync that the writer waits for. None may be under way.
func (l *Log) sync() error {
	if err := syncFile(l.file); err != nil {
		return err
	}
	l.confirm(l.whole)
	release(l.waiting, nil)
	l.waiting = nil
	return nil
}

func syncFile(file appender) error {
	if err := file.Sync(); err != nil {
		return fmt.Errorf("fsync the audit log: %w", err)
	}
	// A file that somebody has removed takes all that is written, and nobody will ever read it.
	if f, ok := file.(*os.File); ok && !durable.HasName(f) {
		return fmt.Errorf("the audit log %s was removed", f.Name())
	}
	return nil
}

// confirm takes note that the log is on stable storage up to here. A failure that was tried to be ended has ended with that.
func (l *Log) confirm(e extent) {
	l.sure = e
	l.durable.Store(e.seq)
	if l.gap.closing {
		l.gap = gap{}
		l.tellFailure(nil)
	}
}

func release(list []entry, err error) {
	for _, e := range list {
		e.done <- err
	}
}
