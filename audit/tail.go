// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// pollInterval is how often a follower that has come to the end looks whether there is more. It looks at the files, so that it can be
// in any process and never has a share in what the writer waits for.
const pollInterval = 200 * time.Millisecond

// Follow calls do with every line of the log in dir behind the record after (0: from the beginning), oldest first, and then with each
// new one when it is there, until ctx ends or do returns an error, which is returned. A line is without its newline and valid only
// during the call. up, where not nil, bounds what is shown: the sequence number of the last record that may be.
func Follow(ctx context.Context, dir string, after uint64, up func() uint64, do func(seq uint64, line []byte) error) error {
	f := follower{ctx: ctx, dir: dir, after: after, up: up, do: do}
	defer f.close()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if err := f.advance(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// follower reads a log that grows.
type follower struct {
	ctx   context.Context
	dir   string
	after uint64 // the last record that was shown
	up    func() uint64
	do    func(seq uint64, line []byte) error

	current segment       // that is read from; its number is 0 before the first
	file    io.ReadCloser // nil between two segments
	in      *bufio.Reader
	offset  int64  // of the next line in the segment, in bytes
	line    []byte // the next line where it is whole and may not be shown yet; nil where it was not read
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // only read from
		f.file = nil
	}
}

// advance shows all that is there.
func (f *follower) advance() error {
	for {
		if f.file == nil {
			more, err := f.next()
			if err != nil || !more {
				return err
			}
		}
		ended, err := f.read()
		if err != nil || !ended {
			return err
		}
		// At its end a segment is finished if there is a next one, and all of it was there when that appeared.
		list, err := segments(f.dir)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[len(list)-1].number <= f.current.number {
			return nil
		}
		if ended, err = f.read(); err != nil || !ended {
			return err
		}
		f.close()
	}
}

// next opens the next segment that has something to show; false where there is none yet.
func (f *follower) next() (bool, error) {
	list, err := segments(f.dir)
	if err != nil {
		return false, err
	}
	for i, s := range list {
		if s.number <= f.current.number {
			continue
		}
		if f.current.number == 0 && i+1 < len(list) { // the start: whole segments before it are passed over
			if h, err := list[i+1].first(); err == nil && h.seq <= f.after+1 {
				continue
			}
		}
		return true, f.open(s)
	}
	return false, nil
}

func (f *follower) open(s segment) error {
	var err error
	if !s.compressed {
		// Not bounded by its present size, as segment.open does: it grows.
		f.file, err = os.Open(s.path())
		if errors.Is(err, fs.ErrNotExist) {
			s.compressed = true
		}
	}
	if s.compressed {
		f.file, err = s.open()
	}
	if err != nil {
		f.file = nil
		return err
	}
	f.current, f.in, f.offset, f.line = s, bufio.NewReaderSize(f.file, 64<<10), 0, nil
	return nil
}

// read shows lines until there is no more; ended is false where there is more that may not be shown yet.
func (f *follower) read() (ended bool, err error) {
	for {
		if f.ctx.Err() != nil {
			return false, context.Cause(f.ctx)
		}
		if f.line == nil {
			line, err := f.in.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return true, f.forget(len(line))
			}
			if err != nil {
				return false, err
			}
			f.line = line
		}
		line := f.line[:len(f.line)-1]
		h, err := parseHead(line)
		if err != nil {
			return false, &LineError{File: f.current.path(), Seq: f.after + 1, Err: err}
		}
		if h.seq > f.after {
			if f.up != nil && h.seq > f.up() {
				return false, nil
			}
			if err := f.do(h.seq, line); err != nil {
				return false, err
			}
			f.after = h.seq
		}
		f.offset += int64(len(f.line))
		f.line = nil
	}
}

// forget goes back to the beginning of a line whose rest is not there yet: where it is torn, it is cut off and another takes its place.
func (f *follower) forget(read int) error {
	file, plain := f.file.(*os.File)
	if read == 0 || !plain {
		return nil
	}
	_, err := file.Seek(f.offset, io.SeekStart)
	f.in.Reset(file)
	return err
}

// ParseLine reads a line of the log, as Follow shows it.
func ParseLine(line []byte) (Record, error) { return decodeLine(line) }

// Lines calls do with every line of the log in dir as it stands, without its newline; the bytes are valid only during the call.
func Lines(dir string, do func(line []byte) error) error {
	list, err := segments(dir)
	if err != nil {
		return err
	}
	for _, s := range list {
		_, err := s.lines(func(number int, line []byte) error {
			if err := do(line[:len(line)-1]); err != nil {
				return &LineError{File: s.path(), Line: number, Err: err}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
