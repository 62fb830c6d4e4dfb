// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentPrefix    = "audit-"
	segmentSuffix    = ".jsonl"
	compressedSuffix = ".zst"
)

func segmentName(n uint64) string { return fmt.Sprintf("%s%08d%s", segmentPrefix, n, segmentSuffix) }

// segment is one file of the log.
type segment struct {
	dir        string
	number     uint64
	compressed bool
}

// name is that of the segment in the log, compressed or not.
func (s segment) name() string { return segmentName(s.number) }

func (s segment) path() string {
	path := filepath.Join(s.dir, s.name())
	if s.compressed {
		path += compressedSuffix
	}
	return path
}

// segments lists the segments in dir in the order in which they were written. Where one is there plain and compressed, the
// compression was interrupted: the plain one counts.
func segments(dir string) ([]segment, error) {
	list, err := os.ReadDir(dir) // sorted, which is by number too: the numbers have a fixed width
	if err != nil {
		return nil, fmt.Errorf("list audit segments: %w", err)
	}
	var found []segment
	for _, e := range list {
		name, compressed := strings.CutSuffix(e.Name(), compressedSuffix)
		digits, ok := strings.CutPrefix(name, segmentPrefix)
		digits, ok2 := strings.CutSuffix(digits, segmentSuffix)
		if !ok || !ok2 {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || segmentName(n) != name {
			return nil, fmt.Errorf("%s has the form of an audit segment's name, but not its number", filepath.Join(dir, e.Name()))
		}
		if len(found) > 0 && found[len(found)-1].number == n {
			continue
		}
		found = append(found, segment{dir, n, compressed})
	}
	return found, nil
}

// size is that of the file, which may have been compressed in the meantime.
func (s segment) size() (int64, error) {
	info, err := os.Stat(s.path())
	if errors.Is(err, fs.ErrNotExist) && !s.compressed {
		s.compressed = true
		info, err = os.Stat(s.path())
	}
	if err != nil {
		return 0, fmt.Errorf("read audit segment: %w", err)
	}
	return info.Size(), nil
}

// open opens the segment for reading, up to where it ends now: a log can grow faster than it is read.
func (s segment) open() (io.ReadCloser, error) {
	f, err := os.Open(s.path())
	if errors.Is(err, fs.ErrNotExist) && !s.compressed {
		s.compressed = true // in the meantime
		f, err = os.Open(s.path())
	}
	if err != nil {
		return nil, err
	}
	if s.compressed {
		return decompress(f)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, info.Size()), f}, nil
}

// LineError says which line of the log is wrong, and how.
type LineError struct {
	File string // its path
	Line int    // from 1
	Seq  uint64 // that the record has or should have, where that is known; 0 where it is not
	Err  error
}

func (e *LineError) Error() string {
	if e.Seq == 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: record %d: %v", e.File, e.Line, e.Seq, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }

// lines calls do with each complete line, newline included; the bytes are do's until it returns. It returns what stands behind the
// last newline, and the first error of do or of reading.
func (s segment) lines(do func(number int, line []byte) error) (torn []byte, err error) {
	f, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("read audit segment: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from: nothing can be lost
	in := bufio.NewReaderSize(f, 256<<10)
	for number := 1; ; number++ {
		line, err := readLine(in)
		switch {
		case errors.Is(err, io.EOF):
			return bytes.Clone(line), nil
		case err != nil && s.compressed && !isFileError(err): // a compressed byte has changed
			return nil, &LineError{File: s.path(), Line: number, Err: err}
		case err != nil:
			return nil, fmt.Errorf("read audit segment %s: %w", s.path(), err)
		}
		if err := do(number, line); err != nil {
			return nil, err
		}
	}
}

// readLine is ReadBytes without a copy where the line fits into the buffer.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	rest, err := in.ReadBytes('\n')
	return append(long, rest...), err
}

var (
	errTorn = errors.New("the line is torn")
	errStop = errors.New("stop")
)

// Read yields the records of the log in dir, oldest first. It takes no lock, so that a log can be read while it is written; a last
// line without its newline is not a record yet and is left out. A line that is not a record is yielded as an error naming the file
// and the line, and reading goes on after it. An error of the file system ends the reading. That the records follow each other is
// not checked: that is Verify's.
func Read(dir string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		list, err := segments(dir)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i, s := range list {
			if !s.read(i == len(list)-1, yield) {
				return
			}
		}
	}
}

// read reports whether to go on with the next segment.
func (s segment) read(last bool, yield func(Record, error) bool) bool {
	count := 0
	torn, err := s.lines(func(number int, line []byte) error {
		count = number
		r, err := decodeLine(line)
		if err != nil {
			err = &LineError{File: s.path(), Line: number, Err: err}
		}
		if !yield(r, err) {
			return errStop
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop):
		return false
	case err != nil:
		yield(Record{}, err)
		return false
	}
	return last || len(torn) == 0 || yield(Record{}, &LineError{File: s.path(), Line: count + 1, Err: errTorn})
}
