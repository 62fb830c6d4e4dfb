// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// MaxNesting is how deep archives and compressed files may stand in each other to be judged. A .tar.gz is two deep.
const MaxNesting = 4

// maxWindow bounds what a decoder may keep of what it has written, in bytes: RFC 8878, 3.1.1.1.2, recommends no more for zstd, and
// xz asks for as much unless it is told otherwise.
const maxWindow = 8 << 20

// maxFiles bounds how many files are looked into in one: a decoder for each is more work than the few bytes that an empty one takes.
const maxFiles = 65535

// Expanded is what an archive or a compressed file has turned out to hold.
type Expanded struct {
	// Size is the number of bytes that come out of it, measured and not read from a header. Where archives stand in archives, it is
	// the sum over all that stand equally deep, at the depth where it is largest. It is 0 for a file that holds no other.
	Size int64
	// Over is true where the measuring was broken off because Size had become larger than the limit.
	Over bool
	// Fault is why it cannot be judged: encrypted, damaged, nested too deep, or of a kind that is not read; nil where it can.
	Fault error
}

// Expansion measures one file while it passes. Its memory is bounded whatever is written: at most MaxNesting decoders at work, each
// with a window of 8 MiB at most. It is used by one goroutine at a time, except for Stop, and must be ended with Finish. A nil Expansion
// measures nothing.
type Expansion struct {
	limit   int64
	stopped atomic.Bool
	in      *io.PipeWriter // nil until the first byte
	done    chan struct{}
	result  Expanded // to be read when done is closed
}

// NewExpansion makes an Expansion that measures up to a limit, in bytes.
func NewExpansion(limit int64) *Expansion { return &Expansion{limit: limit} }

// Write takes the next bytes. It never fails.
func (x *Expansion) Write(p []byte) (int, error) {
	if x == nil || x.stopped.Load() {
		return len(p), nil
	}
	x.start()
	_, _ = x.in.Write(p) // the reader has gone when it knows enough, or was stopped
	return len(p), nil
}

func (x *Expansion) start() {
	if x.in != nil {
		return
	}
	r, w := io.Pipe()
	x.in, x.done = w, make(chan struct{})
	go func() {
		defer close(x.done)
		x.result = measure(r, x.limit, &x.stopped)
		r.CloseWithError(errEnough)
	}()
}

// Finish says what was written has turned out to hold. No more may be written; Finish may be called again.
func (x *Expansion) Finish() Expanded {
	if x == nil || x.in == nil {
		return Expanded{}
	}
	_ = x.in.Close() // a pipe's end takes no error
	<-x.done
	return x.result
}

// Stop gives up. It may be called at any time, from any goroutine, and more than once; a Write that is under way returns. It does
// not wait: Finish does.
func (x *Expansion) Stop() {
	if x != nil {
		x.stopped.Store(true)
	}
}

var (
	errEnough  = errors.New("no more is read")
	errOver    = errors.New("it expands to more than the limit")
	errStopped = errors.New("the transfer was broken off")
)

// measurement is one Expansion at work.
type measurement struct {
	limit   int64
	stopped *atomic.Bool
	levels  [MaxNesting + 1]int64 // bytes that came out at each depth
	files   int                   // that were looked into
	over    bool
}

func measure(r io.Reader, limit int64, stopped *atomic.Bool) (e Expanded) {
	m := &measurement{limit: limit, stopped: stopped}
	defer func() {
		// What a decoder is given was made by somebody else; one that breaks on it must not take the program with it.
		if p := recover(); p != nil {
			e = Expanded{Fault: fmt.Errorf("its decoder broke: %v", p)}
		}
	}()
	fault := m.walk(bufio.NewReaderSize(r, 64<<10), 0)
	for _, n := range m.levels {
		e.Size = max(e.Size, n)
	}
	if e.Over = m.over; !e.Over {
		e.Fault = fault
	}
	return e
}

// output counts what comes out of a decoder.
type output struct {
	m     *measurement
	depth int
	r     io.Reader
}

func (o *output) Read(p []byte) (int, error) {
	if o.m.stopped.Load() {
		return 0, errStopped
	}
	n, err := o.r.Read(p)
	if o.m.levels[o.depth] += int64(n); o.m.levels[o.depth] > o.m.limit {
		o.m.over = true
		return 0, errOver
	}
	return n, err
}

// inside looks into what a decoder writes, one deeper, to its end.
func (m *measurement) inside(r io.Reader, depth int) error {
	if m.files++; m.files > maxFiles {
		return fmt.Errorf("it holds more than %d files", maxFiles)
	}
	return m.walk(bufio.NewReader(&output{m: m, depth: depth + 1, r: r}), depth+1)
}
