// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"fmt"
	"sync"
	"syscall"
)

// space keeps account of the bytes that are held and of those that were promised to uploads on their way.
type space struct {
	max     int64 // 0: no bound
	minFree int64
	most    int // files; 0: no bound
	free    func() (int64, error)

	mu       sync.Mutex
	files    int   // entries, and uploads on their way
	used     int64 // of the entries
	reserved int64 // of uploads on their way
	written  int64 // the part of reserved that is in files already
}

// Room reports whether there is room for n bytes more, or, where n is below zero, for an upload of unknown size: an error that Is
// syscall.ENOSPC where there is none, and Err's.
func (s *Spool) Room(n int64) error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.space.enter(); err != nil {
		return err
	}
	defer s.space.leave(1)
	if err := s.space.reserve(n); err != nil {
		return err
	}
	s.space.release(max(n, 0), 0)
	return nil
}

// enter counts an upload, which leave takes back unless it becomes an entry. Its error Is syscall.ENOSPC.
func (s *space) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && s.files >= s.most {
		return fmt.Errorf("no room in the spool: it holds %d files, those on their way included: %w", s.files, syscall.ENOSPC)
	}
	s.files++
	return nil
}

// leave counts n files out.
func (s *space) leave(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files -= n
}

// reserve sets n bytes aside, all of them or none. Its error Is syscall.ENOSPC where there is no room for them. With n below zero
// nobody knows how many it will be: nothing is set aside, but there must be room for one.
func (s *space) reserve(n int64) error {
	need := n
	if n < 0 {
		need = 1
	}
	got, err := s.reserveUpTo(need)
	if err != nil {
		s.release(got, 0)
		return err
	}
	if n < 0 {
		s.release(got, 0)
	}
	return nil
}

// reserveUpTo sets aside what it can, up to n bytes; where that is less than n the error says why.
func (s *space) reserveUpTo(n int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, err := s.free()
	if err != nil {
		return 0, err
	}
	room := free - (s.reserved - s.written) - s.minFree
	err = fmt.Errorf("no room in the spool: the file system has %d bytes free, %d must stay free: %w", free, s.minFree, syscall.ENOSPC)
	if s.max > 0 && s.max-s.used-s.reserved < room {
		room = s.max - s.used - s.reserved
		err = fmt.Errorf("no room in the spool: it holds %d of at most %d bytes, %d more are on their way: %w",
			s.used, s.max, s.reserved, syscall.ENOSPC)
	}
	if n <= room {
		s.reserved += n
		return n, nil
	}
	got := max(room, 0)
	s.reserved += got
	return got, err
}

// wrote says that n of the bytes that are reserved are in a file now.
func (s *space) wrote(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += n
}

// release ends an upload, or part of what was reserved for it.
func (s *space) release(reserved, written int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= reserved
	s.written -= written
}

// hold accounts for entries that have come, or, where n is negative, have gone.
func (s *space) hold(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += n
}
