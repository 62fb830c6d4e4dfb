// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"
)

// walk reads r to its end and looks into what it holds. The error says why that cannot be judged.
func (m *measurement) walk(r *bufio.Reader, depth int) error {
	head, err := r.Peek(sniffSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	kind, err := container(head)
	if err != nil {
		return err
	}
	if kind == "" {
		return m.leaf(r)
	}
	if depth == MaxNesting {
		return fmt.Errorf("archives stand in each other more than %d deep", MaxNesting)
	}
	if err := m.unpack(kind, r, depth); err != nil {
		return fmt.Errorf("as %s it cannot be read: %w", kind, err)
	}
	return nil
}

func (m *measurement) unpack(kind string, r *bufio.Reader, depth int) error {
	switch kind {
	case "zip":
		return m.zip(r, depth)
	case "tar":
		return m.tar(r, depth)
	}
	plain, err := decoder(kind, r)
	if err != nil {
		return err
	}
	return errors.Join(m.inside(plain, depth), plain.Close())
}

// decoder undoes a compression. All of them read to the end of r, through any number of compressed streams behind each other, and
// call what is left over an error.
func decoder(kind string, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case "gzip":
		return gzip.NewReader(r)
	case "bzip2":
		return io.NopCloser(bzip2.NewReader(r)), nil
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case "xz":
		d, err := xz.NewReader(r, maxWindow)
		return io.NopCloser(d), err
	}
	return nil, fmt.Errorf("no decoder for %s", kind)
}

// tar goes through the members of an archive. Behind its end there are zeros only.
func (m *measurement) tar(r *bufio.Reader, depth int) error {
	t := tar.NewReader(r)
	for {
		_, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := m.inside(t, depth); err != nil {
			return err
		}
	}
	rest := make([]byte, 4<<10)
	for {
		n, err := r.Read(rest)
		if len(bytes.Trim(rest[:n], "\x00")) > 0 {
			return errors.New("something stands behind its end")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// leaf reads what begins like no archive to its end. Zip archives are found by their end: unpackers take what has one for one,
// whatever it begins with.
func (m *measurement) leaf(r io.Reader) error {
	tail := &tailKeeper{}
	if _, err := io.Copy(tail, onlyReader{r}); err != nil {
		return err
	}
	if hasZipEnd(tail.bytes()) {
		return errors.New("a zip archive stands behind something else")
	}
	return nil
}

// onlyReader hides the other methods of a reader.
type onlyReader struct{ io.Reader }

// tailKeeper keeps the last bytes, enough for the end of a zip archive with the longest comment.
type tailKeeper struct{ kept []byte }

const tailSize = zipEndSize + 0xffff

func (t *tailKeeper) Write(p []byte) (int, error) {
	if len(t.kept)+len(p) > 2*tailSize {
		t.kept = append(t.kept[:0], t.bytes()...)
	}
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	return len(p), nil
}

func (t *tailKeeper) bytes() []byte { return t.kept[max(0, len(t.kept)-tailSize):] }
