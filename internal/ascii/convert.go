// SPDX-License-Identifier: Apache-2.0

package ascii

import (
	"bytes"
	"io"
)

// piece is how much is converted at a time, in bytes.
const piece = 32 << 10

// Reader turns what comes over the wire into what is stored. It is used by one goroutine at a time.
type Reader struct {
	src     io.Reader
	checker Checker
	buf     []byte
	ready   []byte // converted and not yet read; part of buf
	held    bool   // the last byte was a CR: what it is depends on the next one
	err     error
}

// NewReader returns a Reader of src. Errors of src are returned as they are.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, piece+1)} }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads and converts the next piece.
func (r *Reader) fill() {
	start := 0
	if r.held {
		r.buf[0] = '\r'
		start = 1
	}
	n, err := r.src.Read(r.buf[start:])
	if cerr := r.checker.Check(r.buf[start : start+n]); cerr != nil {
		r.err = cerr
		return
	}
	got := r.buf[:start+n]
	r.err = err
	if r.held = err == nil && len(got) > 0 && got[len(got)-1] == '\r'; r.held {
		got = got[:len(got)-1]
	}
	r.ready = joinLines(got)
}

// joinLines takes the CR out of each CR LF, in place.
func joinLines(p []byte) []byte {
	to := bytes.IndexByte(p, '\r')
	if to < 0 {
		return p
	}
	for from := to; from < len(p); from++ {
		if p[from] == '\r' && from+1 < len(p) && p[from+1] == '\n' {
			continue
		}
		p[to] = p[from]
		to++
	}
	return p[:to]
}

// Writer turns what is stored into what goes over the wire. It is used by one goroutine at a time.
type Writer struct {
	dst     io.Writer
	checker Checker
	buf     []byte
	cr      bool // the last byte was a CR
}

// NewWriter returns a Writer to dst. It keeps nothing back. Errors of dst are returned as they are.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst, buf: make([]byte, 0, 2*piece)} }

// Write implements io.Writer; the count is of p's bytes.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(written+piece, len(p))]
		if err := w.checker.Check(part); err != nil {
			return written, err
		}
		if _, err := w.dst.Write(w.splitLines(part)); err != nil {
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

// splitLines puts a CR before each LF that has none.
func (w *Writer) splitLines(p []byte) []byte {
	out := w.buf[:0]
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		out = append(out, p[:i]...)
		if i == 0 && !w.cr || i > 0 && p[i-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		p, w.cr = p[i+1:], false
	}
	if len(p) > 0 {
		w.cr = p[len(p)-1] == '\r'
	}
	return append(out, p...)
}
