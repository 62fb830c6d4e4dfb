// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"filippo.io/age"
)

// Writer is one upload on its way into the spool. Exactly one of Commit and Abort ends it; Abort after Commit does nothing, so that
// it can be deferred. It is used by one goroutine at a time.
type Writer struct {
	spool *Spool
	key   *spoolKey
	temp  string

	// mu is for Close of the spool, which aborts.
	mu       sync.Mutex
	meta     Meta
	file     file
	stored   int64          // bytes in the file
	cipher   io.WriteCloser // nil without encryption
	size     int64          // bytes of the upload
	reserved int64          // bytes reserved for it, at least size
	err      error          // of a write: no Commit any more
	ended    bool
}

func (s *Spool) tempPath() string {
	return filepath.Join(s.dir, incomingDir, fmt.Sprintf("%016x", s.temps.Add(1)))
}

// Create begins an upload. declared is the number of bytes that are said to come, which are reserved, or -1 where nobody knows.
// Errors: one that Is syscall.ENOSPC where there is no room, those of the file system, and Err's. The Writer must be ended.
func (s *Spool) Create(m Meta, declared int64) (*Writer, error) {
	end, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("spool a file: %w", err)
	}
	w := &Writer{spool: s, key: s.keys.current, meta: m, reserved: max(declared, 0)}
	if err := s.space.enter(); err != nil {
		return nil, err
	}
	if err := s.space.reserve(declared); err != nil {
		s.space.leave(1)
		return nil, err
	}
	if err := w.open(); err != nil {
		s.space.leave(1)
		s.space.release(w.reserved, 0)
		return nil, s.located(fmt.Errorf("spool a file: %w", err))
	}
	s.mu.Lock()
	s.writers[w] = struct{}{}
	s.mu.Unlock()
	return w, nil
}

// located makes an error that comes of a lost directory say so, and ends the spool.
func (s *Spool) located(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if lost := s.present(); errors.Is(lost, ErrLost) {
		s.fail(lost)
		return lost
	}
	return err
}

func (w *Writer) open() (err error) {
	w.temp = w.spool.tempPath()
	if w.file, err = w.spool.sys.create(w.temp); err != nil {
		return err
	}
	if w.key == nil {
		return nil
	}
	if w.cipher, err = age.Encrypt((*storedFile)(w), w.key); err != nil {
		return errors.Join(err, w.file.Close(), w.spool.sys.remove(w.temp))
	}
	return nil
}

// storedFile is the file with a count of what is in it.
type storedFile Writer

func (f *storedFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.stored += int64(n)
	return n, err
}

// Amend changes what is known about the file before Commit.
func (w *Writer) Amend(change func(*Meta)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.meta
	change(&m)
	if err := m.check(); err != nil {
		return fmt.Errorf("spool a file: %w", err)
	}
	w.meta = m
	return nil
}

// Size is the number of bytes that were written.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Write implements io.Writer. What has no room ends in an error that Is syscall.ENOSPC, behind the bytes that have. After an error
// there is no Commit.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, err
	}
	n, err := w.write(p)
	if err != nil {
		w.err = w.spool.located(fmt.Errorf("spool a file: %w", err))
	}
	return n, w.err
}

func (w *Writer) usable() error {
	switch {
	case w.ended:
		return ErrClosed
	case w.err != nil:
		return w.err
	}
	return nil
}

func (w *Writer) write(p []byte) (int, error) {
	var full error
	if more := w.size + int64(len(p)) - w.reserved; more > 0 {
		got, err := w.spool.space.reserveUpTo(more)
		w.reserved += got
		if got < more {
			p, full = p[:int64(len(p))-(more-got)], err
		}
	}
	dst := io.Writer((*storedFile)(w))
	if w.cipher != nil {
		dst = w.cipher
	}
	n, err := dst.Write(p)
	w.size += int64(n)
	w.spool.space.wrote(int64(n))
	if err == nil {
		err = full
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom: it takes all until r's io.EOF. Errors of r are returned as they are, and do not end the Writer.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	buf := w.spool.buffers.Get().(*[]byte)
	defer w.spool.buffers.Put(buf)
	var total int64
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			m, werr := w.Write((*buf)[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Abort removes what was written. After Commit it does nothing.
func (w *Writer) Abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.abort()
}

func (w *Writer) abort() {
	if w.file != nil {
		_ = w.file.Close() // nobody wants what is in it
	}
	w.spool.discard(w.temp)
	w.spool.space.leave(1)
	w.end()
}

// end takes the Writer off the books of the spool.
func (w *Writer) end() {
	w.ended = true
	w.spool.space.release(w.reserved, w.size)
	w.spool.mu.Lock()
	delete(w.spool.writers, w)
	w.spool.mu.Unlock()
}
