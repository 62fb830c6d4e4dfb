// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"
)

// Errors that callers may look for with errors.Is, besides fs.ErrNotExist for an entry that is not there and the syscall.Errno of
// the file system: ENOSPC (also for Options.MaxSize and MinFree), EIO, EROFS, EDQUOT.
var (
	// ErrLocked says that another process, or another Spool of this one, has the directory.
	ErrLocked = errors.New("the spool is in use by another process")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the spool is closed")
	// ErrReadOnly is returned for changes of a spool from OpenReadOnly.
	ErrReadOnly = errors.New("the spool is open for reading only")
	// ErrLost says that the directory was removed, replaced or unmounted: what was in it nobody will find again.
	ErrLost = errors.New("the spool directory is not what was opened any more")
	// ErrDamaged says that a file is not what was committed.
	ErrDamaged = errDamaged
)

// Options are those of Open.
type Options struct {
	// Dir is made, with mode 0700, where it is missing.
	Dir string
	// MaxSize bounds the bytes of all files that are held, delivered ones that are kept included. 0 means that there is no bound.
	MaxSize int64
	// MaxFiles bounds their number: each takes about a kilobyte of memory, and an empty one no room. 0 means that there is no bound.
	MaxFiles int
	// MinFree is how many bytes must stay free on the file system.
	MinFree int64
	// Recipients and Identities turn on encryption at rest of what is written from now on, data and records; one without the other
	// is an error. Identities alone are enough for OpenReadOnly.
	Recipients []age.Recipient
	Identities []age.Identity
	// Now is the clock. nil means time.Now.
	Now func() time.Time
	// Logger hears what went wrong without anybody to return it to. nil means nobody.
	Logger *slog.Logger
}

// Spool is an open spool directory. Its methods may be called by any goroutine.
type Spool struct {
	// Set by Open.
	dir       string
	sys       calls
	now       func() time.Time
	logger    *slog.Logger
	readOnly  bool
	lock      *lock // nil for reading only
	keys      *keyring
	space     *space
	flusher   *flusher
	recovered Recovery
	buffers   sync.Pool // of *[]byte, to copy with

	// committing orders commits: it is held from the choice of an ID until the entry is in a batch.
	committing sync.Mutex
	next       uint64 // the next ID

	made  atomic.Uint64 // directories of entries with a lower number have been made; the last one of them stays, see recover
	temps atomic.Uint64 // names given to temporaries

	mu      sync.RWMutex
	index   index
	writers map[*Writer]struct{}
	running sync.WaitGroup // changes under way; added to under mu, and not after closed is set
	closed  bool
	err     error

	closeOnce sync.Once
	closeErr  error
}

// Open opens the spool in o.Dir, making it where it is missing, and brings what a crash has left into order: see the package
// documentation. Errors: one that Is ErrLocked and names the process while somebody else has it, and those of the file system.
// The Spool must be closed.
func Open(o Options) (*Spool, error) { return openWith(o, system()) }

// OpenReadOnly opens a spool, or a copy of one, without changing anything in it and without a lock. On a spool that is in use it
// sees each entry as it was at some moment of the call. Changes return ErrReadOnly.
func OpenReadOnly(o Options) (*Spool, error) {
	if o.Dir == "" {
		return nil, errors.New("open the spool: no directory is given")
	}
	s := newSpool(o, system())
	s.readOnly = true
	if err := checkVersion(s.dir); err != nil {
		return nil, fmt.Errorf("open the spool in %s: %w", s.dir, err)
	}
	s.keys = &keyring{dir: s.path(keysDir), identities: o.Identities}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("open the spool in %s: %w", s.dir, err)
	}
	return s, nil
}

func openWith(o Options, sys calls) (_ *Spool, err error) {
	switch {
	case o.Dir == "":
		return nil, errors.New("open the spool: no directory is given")
	case (len(o.Recipients) == 0) != (len(o.Identities) == 0):
		return nil, errors.New("open the spool: recipients without identities, or the other way round: what is spooled could not be delivered")
	case o.MaxSize < 0 || o.MinFree < 0 || o.MaxFiles < 0:
		return nil, errors.New("open the spool: a size or number below zero")
	}
	s := newSpool(o, sys)
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the spool in %s: %w", o.Dir, err)
			if s.lock != nil {
				err = errors.Join(err, s.lock.close())
			}
		}
	}()
	if s.lock, err = takeDirectory(s.dir); err != nil {
		return nil, err
	}
	if s.keys, err = openKeyring(s.path(keysDir), o.Recipients, o.Identities); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		return nil, err
	}
	return s, nil
}

func newSpool(o Options, sys calls) *Spool {
	s := &Spool{dir: filepath.Clean(o.Dir), sys: sys, now: o.Now, logger: o.Logger, index: newIndex(), writers: map[*Writer]struct{}{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.space = &space{max: o.MaxSize, most: o.MaxFiles, minFree: o.MinFree, free: func() (int64, error) { return sys.free(s.dir) }}
	s.flusher = &flusher{sync: s.flush}
	s.buffers.New = func() any { b := make([]byte, 64<<10); return &b }
	return s
}

// time is the clock's, as records hold it.
func (s *Spool) time() time.Time { return s.now().Round(0).UTC() }

// begin is called before every change and returns what ends it.
func (s *Spool) begin() (end func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.readOnly:
		return nil, ErrReadOnly
	case s.err != nil:
		return nil, s.err
	case s.closed:
		return nil, ErrClosed
	}
	s.running.Add(1)
	return s.running.Done, nil
}

// fail ends the spool: what is on stable storage is not known any more, until it is opened again.
func (s *Spool) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.logger.Error("the spool has failed: nothing is accepted until it is opened again", "error", err)
	}
}

// Err is the error that ended the spool; nil as long as it works. From then on every change returns it, and reading goes on.
func (s *Spool) Err() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

// Close waits for changes under way, aborts uploads that are not being committed, and releases the directory. Further calls return
// the same.
func (s *Spool) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.running.Wait() // from here on nothing begins, and nothing is being committed
		s.mu.Lock()
		open := slices.Collect(maps.Keys(s.writers))
		s.mu.Unlock()
		for _, w := range open {
			w.Abort()
		}
		if s.lock != nil {
			s.closeErr = s.lock.close()
		}
	})
	return s.closeErr
}

// Recovered is what Open found, and what it did.
func (s *Spool) Recovered() Recovery { return s.recovered }

// All goes through the entries as they were when it began, in the order of their commits. Each is as it is when its turn comes; one
// that was removed meanwhile is left out.
func (s *Spool) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		s.mu.RLock()
		list := make([]*item, len(s.index.order))
		copy(list, s.index.order)
		s.mu.RUnlock()
		for _, it := range list {
			s.mu.RLock()
			e, there := it.entry, s.index.byID[it.entry.ID] == it
			s.mu.RUnlock()
			if there && !yield(e) {
				return
			}
		}
	}
}

// Expired returns the delivered entries that have been kept for that long at now, in the order of their commits.
func (s *Spool) Expired(now time.Time, keep time.Duration) []Entry {
	var list []Entry
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.index.total[Delivered].Entries == 0 {
		return nil
	}
	for _, it := range s.index.order {
		if e := &it.entry; e.State == Delivered && !e.Delivered.Add(keep).After(now) {
			list = append(list, *e)
		}
	}
	return list
}

// Usage is what a spool holds.
type Usage struct {
	Waiting   Count `json:"waiting"`
	Held      Count `json:"held"`
	Aside     Count `json:"aside"`
	Delivered Count `json:"delivered"`
	// Damaged counts the entries that were set apart because they are damaged, at this Open or before; see Recovery.
	Damaged int `json:"damaged"`
	// Oldest is when the first of the live entries was accepted; zero if there is none.
	Oldest time.Time `json:"oldest,omitzero"`
	// Reserved are bytes promised to uploads on their way.
	Reserved int64 `json:"reserved"`
	// Free are the bytes free on the file system, MaxSize is Options.MaxSize, MinFree is Options.MinFree.
	Free    int64 `json:"free"`
	MaxSize int64 `json:"max_size,omitempty"`
	MinFree int64 `json:"min_free,omitempty"`
}

// Usage counts. Its error is that of looking at the file system; all but Free is right then, too.
func (s *Spool) Usage() (Usage, error) {
	free, err := s.space.free()
	s.mu.RLock()
	t := s.index.total
	u := Usage{Waiting: *t[Waiting], Held: *t[Held], Aside: *t[Aside], Delivered: *t[Delivered], Damaged: s.recovered.SetApart, Free: free}
	for _, it := range s.index.order {
		if it.entry.State.Live() {
			u.Oldest = it.entry.Accepted
			break
		}
	}
	s.mu.RUnlock()
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	u.Reserved, u.MaxSize, u.MinFree = s.space.reserved, s.space.max, s.space.minFree
	return u, err
}
