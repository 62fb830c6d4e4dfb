// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
	"github.com/ftpgw/ftpgw/policy"
)

const (
	dirPerm  = 0o700
	filePerm = 0o600
)

// Options tune a Store. The zero Options are good.
type Options struct {
	// Now is the clock. nil means time.Now. Readings with a monotonic part are compared by that.
	Now func() time.Time
	// OnTrouble, where not nil, hears when the journal cannot be written (transfers that are counted are refused then), and with nil when
	// it can be written again. It is called in a goroutine of the Store, which waits for it.
	OnTrouble func(err error)

	disk disk // for tests
}

// disk is what the journal is written with.
type disk struct {
	replace func(path string, data []byte) error
	open    func(path string) (appender, error)
}

// appender is a journal that is open for appending. Sync makes durable what was written.
type appender interface {
	io.WriteCloser
	Sync() error
}

func realDisk() disk {
	return disk{
		replace: func(path string, data []byte) error { return durable.WriteFile(path, data, filePerm) },
		open: func(path string) (appender, error) {
			f, err := durable.OpenAppend(path, filePerm)
			if err != nil {
				return nil, err // not a nil *os.File in an appender
			}
			return f, nil
		},
	}
}

// Store counts. It is safe for concurrent use, and belongs to the one process that has opened it: who opens the directory must hold
// it. It must be closed.
type Store struct {
	dir       string
	disk      disk
	onTrouble func(error)

	mu     sync.Mutex
	book   *book
	queue  []use          // to be written
	wait   []chan<- error // for the queue to be on stable storage
	closed bool
	err    error // why the last write has failed; nil where it has not

	wake    chan struct{} // capacity 1
	closing chan struct{}
	done    chan struct{}

	// Of the writer alone:
	file   appender // nil where a snapshot must be written before anything else
	base   int64    // bytes of the snapshot
	behind int64    // bytes of the batches behind it
}

// Open opens the store in dir, makes what is missing, and repairs what a crash has left. The Report says what could not be read; an
// error is of the file system, or of a journal that a later version has written.
func Open(dir string, opts Options) (*Store, Report, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.disk.replace == nil {
		opts.disk = realDisk()
	}
	s := &Store{dir: dir, disk: opts.disk, onTrouble: opts.OnTrouble,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	r, err := s.recover(opts.Now)
	if err != nil {
		return nil, r, fmt.Errorf("open the counts of limits: %w", err)
	}
	go s.write()
	return s, r, nil
}

// recover reads the journal and writes it anew: what follows begins behind a snapshot.
func (s *Store) recover(now func() time.Time) (r Report, err error) {
	if err := durable.MkdirAll(s.dir, dirPerm); err != nil {
		return r, err
	}
	if err := durable.RemoveTemps(s.dir); err != nil {
		return r, err
	}
	if s.book, r, err = read(s.dir, now); err != nil {
		return r, err
	}
	if r.Damaged != nil {
		if err := s.disk.replace(filepath.Join(s.dir, damagedFile), r.text); err != nil {
			return r, fmt.Errorf("keep the damaged journal: %w", err)
		}
		r.text = nil
	}
	return r, s.replace(s.book.snapshot())
}

// Close writes what is queued and ends the store. Grants that are still open can be used, but nothing more becomes durable.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.done
		return nil
	}
	close(s.closing)
	<-s.done
	if s.file == nil {
		return errors.New("close the counts of limits: the journal could not be written, what was given back at the end may count")
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close the counts of limits: %w", err)
	}
	return nil
}

// ClockSet is to be called when the machine's clock was set: what a later start takes for the time that has passed counts from now.
func (s *Store) ClockSet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rouse() // a batch of nothing says what time it is
}

// Err is why the journal could not be written the last time, so that transfers that are counted are refused; nil while it can.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Usage says how much of the limits of these bounds is used.
func (s *Store) Usage(bounds ...policy.Bound) []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.usageOf(bounds)
}

// Keys are the keys of all accounts that are known, in no order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.book.accounts))
	for key := range s.book.accounts {
		keys = append(keys, key)
	}
	return keys
}

// Read says how much of the limits of these bounds was used according to the journal in dir, as of now. It takes no lock and may be
// called while a Store writes there; what is only reserved is not in it. A directory without a journal has nothing in it.
func Read(dir string, now func() time.Time, bounds ...policy.Bound) ([]Usage, Report, error) {
	b, r, err := read(dir, now)
	if err != nil {
		return nil, r, err
	}
	r.text = nil
	return b.usageOf(bounds), r, nil
}

// Unused are the limits of these bounds where nothing is known of their use.
func Unused(bounds ...policy.Bound) []Usage { return newBook(time.Now).usageOf(bounds) }

func (b *book) usageOf(bounds []policy.Bound) []Usage {
	at := b.tick()
	var list []Usage
	for _, bound := range bounds {
		list = append(list, b.usage(bound, at)...)
	}
	return list
}
