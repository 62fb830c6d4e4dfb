// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Entries lie in directories of 1<<dirBits consecutive IDs: commits of one moment share the fsync of one directory, a directory stays
// small however large the backlog is, and it can be removed when it is empty.
const dirBits = 12

const recordSuffix = ".record"

func entryID(seq uint64) string { return fmt.Sprintf("%016x", seq) }

func (s *Spool) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

// dirPath is the directory with this number.
func (s *Spool) dirPath(n uint64) string { return s.path(entriesDir, fmt.Sprintf("%013x", n)) }

func (s *Spool) entryPath(seq uint64) string {
	return filepath.Join(s.dirPath(seq>>dirBits), entryID(seq))
}

// Commit makes the upload an entry, which waits to be delivered. sum is the SHA-256 of its bytes, in hex. last, where not nil, is
// asked when data and record are on stable storage, just before the rename; its error ends the upload and is found with errors.Is.
// With nil the entry is on stable storage and visible. With an error there is no entry, except after a failure of the file system
// that makes the Spool fail as a whole: then it is not known whether the next Open finds one.
func (w *Writer) Commit(sum string, last func() error) (Entry, error) {
	return w.CommitAs(Waiting, sum, last)
}

// CommitAs is Commit into another state: Held for what has to wait for something, for example for the rest of its set.
func (w *Writer) CommitAs(state State, sum string, last func() error) (Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return Entry{}, ErrClosed
	}
	e, err := w.commit(state, sum, last)
	if err != nil {
		w.abort()
		return Entry{}, fmt.Errorf("commit to the spool: %w", w.spool.located(err))
	}
	w.end()
	return e, nil
}

func (w *Writer) commit(state State, sum string, last func() error) (Entry, error) {
	if w.err != nil {
		return Entry{}, w.err
	}
	if !isDigest(sum) || !state.valid() {
		return Entry{}, fmt.Errorf("the digest is %q, the state %q", sum, state)
	}
	end, err := w.spool.begin()
	if err != nil {
		return Entry{}, err
	}
	defer end()
	now := w.spool.time()
	it := &item{key: w.key.id(), entry: Entry{
		Meta: w.meta, Size: w.size, SHA256: sum, Accepted: now, ModTime: now, State: state,
	}}
	if err := w.seal(it); err != nil {
		return Entry{}, err
	}
	if last != nil {
		if err := last(); err != nil {
			return Entry{}, err
		}
	}
	return w.spool.publish(w.temp, it)
}

// seal completes the file and puts it on stable storage. The file is closed whatever happens.
func (w *Writer) seal(it *item) error {
	err := w.finish(it)
	if err == nil {
		err = w.file.Sync()
	}
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	w.file = nil
	return err
}

func (w *Writer) finish(it *item) error {
	if w.cipher != nil {
		if err := w.cipher.Close(); err != nil {
			return err
		}
	}
	it.data = w.stored
	b, err := encodeTrailer(it.entry, it.data, w.key)
	if err != nil {
		return err
	}
	_, err = w.file.Write(b)
	return err
}

func encodeTrailer(e Entry, data int64, key *spoolKey) ([]byte, error) {
	rec, err := encodeRecord(e)
	if err == nil {
		rec, err = key.seal(rec, sealedRecord)
	}
	if err != nil {
		return nil, err
	}
	return trailer(rec, data, key.id()), nil
}

// publish gives the file its ID and waits until that is on stable storage and the entry is in the index.
func (s *Spool) publish(temp string, it *item) (Entry, error) {
	b, e, err := s.rename(temp, it)
	if err != nil {
		return Entry{}, err
	}
	if err := s.flusher.wait(b); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// rename gives the file the next ID. An ID is used up even where that fails: nobody knows whether it did.
func (s *Spool) rename(temp string, it *item) (*batch, Entry, error) {
	s.committing.Lock()
	defer s.committing.Unlock()
	it.seq = s.next
	it.entry.ID = entryID(it.seq)
	dir := s.dirPath(it.seq >> dirBits)
	if it.seq>>dirBits >= s.made.Load() {
		if err := s.makeDir(dir); err != nil {
			return nil, Entry{}, err
		}
		s.made.Store(it.seq>>dirBits + 1)
	}
	s.next++
	to := s.entryPath(it.seq)
	if err := s.sys.rename(temp, to); err != nil {
		if rm := s.sys.remove(to); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			s.fail(fmt.Errorf("it is not known whether %s was committed: %w", to, errors.Join(err, rm)))
		}
		return nil, Entry{}, err
	}
	e := it.entry // as soon as it is in the index others may change it
	return s.flusher.join(it, dir), e, nil
}

// makeDir makes a directory for entries. It may be there, when it was made without that being confirmed.
func (s *Spool) makeDir(dir string) error {
	if err := s.sys.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	err := s.sys.syncDir(s.path(entriesDir))
	if err != nil {
		s.fail(err) // as in flush
	}
	return err
}

// flush puts directories on stable storage and makes entries visible. An error ends the spool: which of the names that were changed
// since the last flush will be there after a power cut is not known, and no later fsync can tell.
func (s *Spool) flush(dirs []string, items []*item) error {
	err := s.Err() // after a failure of the batch before, an fsync that succeeds proves nothing
	if err == nil {
		err = s.flushDirs(dirs, items)
	}
	if err != nil {
		for _, it := range items { // nobody was told that they are there
			if rm := s.sys.remove(s.entryPath(it.seq)); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
				s.logger.Warn("a file that was not confirmed is left in the spool", "entry", it.entry.ID, "error", rm)
			}
		}
		s.fail(err)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.index.insert(it)
		s.space.hold(it.entry.Size)
	}
	return nil
}

func (s *Spool) flushDirs(dirs []string, items []*item) error {
	for _, d := range dirs {
		if err := s.sys.syncDir(d); err != nil {
			if lost := s.present(); lost != nil {
				return lost
			}
			return err
		}
	}
	if err := s.present(); err != nil {
		return err
	}
	// A name that somebody has removed takes no error of fsync.
	for _, it := range items {
		if _, err := s.sys.stat(s.entryPath(it.seq)); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
	}
	return nil
}
