// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"io"
)

// What can be wrong with a record-structured stream.
var (
	// ErrTruncated says that the stream ended before its EOF: the file is not whole.
	ErrTruncated = errors.New("the data ended without an end-of-file mark")
	// ErrBadMark says that the stream is not in record structure: a byte of all ones stands before what is no mark, or something
	// stands behind the EOF.
	ErrBadMark = errors.New("the data are not in record structure")
	// ErrLineFeed says that a record contains an LF, which a file made of lines cannot hold.
	ErrLineFeed = errors.New("a record contains a line feed")
)

const (
	escape  = 0xff
	markEOR = 1
	markEOF = 2
	piece   = 32 << 10 // how much is converted at a time, in bytes
)

// Reader turns a stream of records into lines. It is used by one goroutine at a time.
type Reader struct {
	src     io.Reader
	buf     []byte
	ready   []byte // converted and not yet read; part of buf
	escaped bool   // the last byte was an escape
	ended   bool   // the EOF was seen
	err     error
}

// NewReader returns a Reader of src, which ends with io.EOF at the EOF mark. Errors of src are returned as they are.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, piece)} }

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
	n, err := r.src.Read(r.buf)
	out := r.buf[:0]
	for _, b := range r.buf[:n] {
		switch {
		case r.ended:
			r.err = ErrBadMark
		case r.escaped:
			out = r.mark(out, b)
		case b == escape:
			r.escaped = true
		case b == '\n':
			r.err = ErrLineFeed
		default:
			out = append(out, b)
		}
		if r.err != nil {
			return
		}
	}
	r.ready = out
	switch {
	case r.ended:
		r.err = io.EOF
	case errors.Is(err, io.EOF):
		r.err = ErrTruncated
	default:
		r.err = err
	}
}

// mark interprets the byte behind an escape. Its result is never longer than the two bytes that were read.
func (r *Reader) mark(out []byte, b byte) []byte {
	r.escaped = false
	switch b {
	case escape:
		return append(out, escape)
	case markEOR, markEOF, markEOR | markEOF:
		r.ended = b&markEOF != 0
		if b&markEOR != 0 {
			out = append(out, '\n')
		}
		return out
	}
	r.err = ErrBadMark
	return out
}

// Writer turns lines into a stream of records. It is used by one goroutine at a time.
type Writer struct {
	dst io.Writer
	buf []byte
}

// NewWriter returns a Writer to dst. It keeps nothing back. Errors of dst are returned as they are.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst, buf: make([]byte, 0, 2*piece)} }

// Write implements io.Writer; the count is of p's bytes.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(written+piece, len(p))]
		if _, err := w.dst.Write(w.convert(part)); err != nil {
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

func (w *Writer) convert(p []byte) []byte {
	out := w.buf[:0]
	for _, b := range p {
		switch b {
		case '\n':
			out = append(out, escape, markEOR)
		case escape:
			out = append(out, escape, escape)
		default:
			out = append(out, b)
		}
	}
	return out
}

// Close ends the file. It does not close what is behind the Writer.
func (w *Writer) Close() error {
	_, err := w.dst.Write([]byte{escape, markEOF})
	return err
}
