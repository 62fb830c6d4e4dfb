// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// least is how many bytes of batches there may be at least before the journal is replaced.
const least = 256 << 10

// errClosed says that a store does not write any more.
var errClosed = errors.New("the counts of limits are closed")

// enqueue has a use written; a waiter hears when it is durable, or why it is not. The caller holds mu.
func (s *Store) enqueue(u use, waiter chan<- error) {
	if s.closed {
		if waiter != nil {
			waiter <- errClosed
		}
		return
	}
	s.queue = append(s.queue, u)
	if waiter != nil {
		s.wait = append(s.wait, waiter)
	}
	s.rouse()
}

// rouse has the writer write.
func (s *Store) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// write is the goroutine that writes: batch after batch until the store is closed.
func (s *Store) write() {
	defer close(s.done)
	for {
		closing := false
		select {
		case <-s.wake:
		case <-s.closing:
			closing = true // nothing is queued any more: what is there now is the last batch
		}
		waiters, err := s.batch()
		s.tell(err)
		for _, w := range waiters {
			w <- err // each has room for it
		}
		if closing {
			return
		}
	}
}

// batch writes all that is queued, by itself or within a new snapshot.
func (s *Store) batch() (waiters []chan<- error, err error) {
	anew := s.file == nil || s.behind > max(least, s.base)
	s.mu.Lock()
	f := frame{Uses: s.queue}
	waiters = s.wait
	s.queue, s.wait = nil, nil
	if anew { // what is queued is in it already
		f = s.book.snapshot()
	} else {
		f.At = s.book.tick()
		f.Clock = s.book.last.Unix()
	}
	s.mu.Unlock()
	if anew {
		return waiters, s.replace(f)
	}
	if err := s.append(f); err != nil {
		// What is behind the last flush is not known any more: the next write begins anew.
		return waiters, errors.Join(err, s.drop())
	}
	return waiters, nil
}

func (s *Store) append(f frame) error {
	line, err := f.line()
	if err != nil {
		return err
	}
	if _, err := s.file.Write(line); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("flush the journal: %w", err)
	}
	// A file that somebody has removed takes all that is written, and nobody will ever read it.
	if f, ok := s.file.(*os.File); ok && !durable.HasName(f) {
		return fmt.Errorf("the journal %s was removed", f.Name())
	}
	s.behind += int64(len(line))
	return nil
}

// replace puts a snapshot in the place of the journal.
func (s *Store) replace(f frame) error {
	line, err := f.line()
	if err != nil {
		return err
	}
	if err := s.drop(); err != nil {
		return err
	}
	path := filepath.Join(s.dir, journalFile)
	if err := s.disk.replace(path, line); err != nil {
		return fmt.Errorf("replace the journal: %w", err)
	}
	if s.file, err = s.disk.open(path); err != nil {
		s.file = nil
		return fmt.Errorf("open the journal: %w", err)
	}
	s.base, s.behind = int64(len(line)), 0
	return nil
}

// drop closes the journal: it is not appended to any more.
func (s *Store) drop() error {
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}

// tell tells when trouble begins and when it is over.
func (s *Store) tell(err error) {
	s.mu.Lock()
	news := (err != nil) != (s.err != nil)
	s.err = err
	s.mu.Unlock()
	if news && s.onTrouble != nil {
		s.onTrouble(err)
	}
}
