// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"io"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/ascii"
	"github.com/ftpgw/ftpgw/internal/record"
)

// form is how the bytes of one transfer on the wire differ from those in the file. The zero form is that they do not.
type form struct {
	text    bool // type A, converted
	records bool // structure R
}

// form is that of the transfer that begins now.
func (s *session) form() form {
	return form{text: s.ascii && s.quirks.ASCII == Convert, records: s.records}
}

// verbatim reports whether positions and sizes mean the same on the wire and in the file.
func (f form) verbatim() bool { return f == form{} }

// String is the form for records.
func (f form) String() string {
	switch {
	case f.records:
		return "records"
	case f.text:
		return "line-endings"
	}
	return ""
}

// reader turns what comes over the wire into the file. In records the lines of text end in EOR, so that there are no line endings to
// convert (RFC 959, 3.1.1.5.1 and 3.4.1), but what is not text is refused all the same.
func (f form) reader(wire io.Reader) io.Reader {
	switch {
	case f.records && f.text:
		return &textReader{src: &markedReader{record.NewReader(wire)}}
	case f.records:
		return &markedReader{record.NewReader(wire)}
	case f.text:
		return ascii.NewReader(wire)
	}
	return wire
}

// writer turns the file into what goes over the wire. finish must be called behind the last byte.
func (f form) writer(wire io.Writer) (w io.Writer, finish func() error) {
	switch {
	case f.records:
		records := record.NewWriter(wire)
		w = records
		if f.text {
			w = &textWriter{dst: records}
		}
		return w, records.Close
	case f.text:
		return ascii.NewWriter(wire), func() error { return nil }
	}
	return wire, func() error { return nil }
}

// headLength is how much of a file is looked at before it is called text.
const headLength = 4096

// checkText looks at the beginning of a download, so that a device which asks for an image as text learns it before the transfer.
func (f form) checkText(ctx context.Context, out *gateway.Outgoing) error {
	if !f.text {
		return nil
	}
	head, err := out.Peek(ctx, headLength)
	if err != nil {
		return err
	}
	var c ascii.Checker
	return c.Check(head)
}

// markedReader names the evidence that is missing where the end-of-file mark is.
type markedReader struct{ records io.Reader }

func (m *markedReader) Read(p []byte) (int, error) {
	n, err := m.records.Read(p)
	if errors.Is(err, record.ErrTruncated) {
		err = &truncatedError{err}
	}
	return n, err
}

type truncatedError struct{ cause error }

func (e *truncatedError) Error() string              { return e.cause.Error() }
func (e *truncatedError) Unwrap() error              { return e.cause }
func (e *truncatedError) Evidence() gateway.Evidence { return gateway.EndMark }
func (e *truncatedError) Temporary() bool            { return true }

// textReader and textWriter let text pass, and nothing else.
type textReader struct {
	src     io.Reader
	checker ascii.Checker
}

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.src.Read(p)
	if cerr := t.checker.Check(p[:n]); cerr != nil {
		return 0, cerr
	}
	return n, err
}

type textWriter struct {
	dst     io.Writer
	checker ascii.Checker
}

func (t *textWriter) Write(p []byte) (int, error) {
	if err := t.checker.Check(p); err != nil {
		return 0, err
	}
	return t.dst.Write(p)
}
