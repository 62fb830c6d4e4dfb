// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentPrefix = "audit-"
	segmentSuffix = ".jsonl"
)

func segmentName(n uint64) string { return fmt.Sprintf("%s%08d%s", segmentPrefix, n, segmentSuffix) }

// segments lists the names of the segments in dir in the order in which they were written.
func segments(dir string) ([]string, error) {
	list, err := os.ReadDir(dir) // sorted, which is by number too: the numbers have a fixed width
	if err != nil {
		return nil, fmt.Errorf("list audit segments: %w", err)
	}
	var names []string
	for _, e := range list {
		digits, ok := strings.CutPrefix(e.Name(), segmentPrefix)
		digits, ok2 := strings.CutSuffix(digits, segmentSuffix)
		if !ok || !ok2 {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 64); err != nil || segmentName(n) != e.Name() {
			return nil, fmt.Errorf("%s has the form of an audit segment's name, but not its number", filepath.Join(dir, e.Name()))
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// tail is the end of a segment.
type tail struct {
	last *Record // of the last complete line; nil where there is none
	end  int64   // where the last complete line ends
	torn []byte  // what stands after it
}

// readTail reads a segment from its end, as far as the last complete line.
func readTail(path string) (t tail, err error) {
	f, err := os.Open(path)
	if err != nil {
		return tail{}, fmt.Errorf("open audit segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return tail{}, fmt.Errorf("read audit segment: %w", err)
	}
	newline, err := lastNewline(f, size)
	if err != nil {
		return tail{}, fmt.Errorf("read audit segment: %w", err)
	}
	t.end = newline + 1
	t.torn = make([]byte, size-t.end)
	if _, err := f.ReadAt(t.torn, t.end); err != nil && len(t.torn) > 0 {
		return tail{}, fmt.Errorf("read audit segment: %w", err)
	}
	if newline < 0 {
		return t, nil
	}
	before, err := lastNewline(f, newline)
	if err != nil {
		return tail{}, fmt.Errorf("read audit segment: %w", err)
	}
	line := make([]byte, newline-before-1)
	if _, err := f.ReadAt(line, before+1); err != nil && len(line) > 0 {
		return tail{}, fmt.Errorf("read audit segment: %w", err)
	}
	r, err := decodeLine(line)
	if err != nil {
		number, counting := countLines(f, t.end)
		return tail{}, errors.Join(fmt.Errorf("%s:%d: %w", path, number, err), counting)
	}
	t.last = &r
	return t, nil
}

// lastNewline is the position of the last newline before end, or -1.
func lastNewline(r io.ReaderAt, end int64) (int64, error) {
	buf := make([]byte, 4096)
	for end > 0 {
		start := max(0, end-int64(len(buf)))
		piece := buf[:end-start]
		if _, err := r.ReadAt(piece, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
			return start + int64(i), nil
		}
		end = start
	}
	return -1, nil
}

func countLines(r io.ReaderAt, end int64) (int, error) {
	b := bufio.NewReader(io.NewSectionReader(r, 0, end))
	for n := 0; ; {
		c, err := b.ReadByte()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if c == '\n' {
			n++
		}
	}
}

// Read yields the records of the log in dir, oldest first. It takes no lock, so that a log can be read while it is written; a last
// line without its newline is not a record yet and is left out. A line that is not a record is yielded as an error naming the file
// and the line, and reading goes on after it. An error of the file system ends the reading.
func Read(dir string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		names, err := segments(dir)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i, name := range names {
			if !readSegment(filepath.Join(dir, name), i == len(names)-1, yield) {
				return
			}
		}
	}
}

// readSegment reports whether to go on with the next one.
func readSegment(path string, last bool, yield func(Record, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		yield(Record{}, fmt.Errorf("read audit log: %w", err))
		return false
	}
	defer func() { _ = f.Close() }() // only read from: nothing can be lost
	b := bufio.NewReaderSize(f, 64<<10)
	for number := 1; ; number++ {
		line, err := b.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return last || len(line) == 0 || yield(Record{}, fmt.Errorf("%s:%d: the line is torn", path, number))
		case err != nil:
			yield(Record{}, fmt.Errorf("read audit log: %w", err))
			return false
		}
		r, err := decodeLine(line)
		if err != nil {
			err = fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if !yield(r, err) {
			return false
		}
	}
}
