// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// window bounds the memory that compressing and decompressing take.
const window = 1 << 20

// decompress reads a compressed segment; closing it closes f.
func decompress(f *os.File) (io.ReadCloser, error) {
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &decompressed{d, f}, nil
}

type decompressed struct {
	*zstd.Decoder
	file *os.File
}

func (d *decompressed) Close() error {
	d.Decoder.Close()
	return d.file.Close()
}

// isFileError tells an error of the file system from one of the content.
func isFileError(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe)
}

// compress replaces a segment by a compressed one. The plain one is removed only when the compressed one is on stable storage and
// was read again and found to be the same.
func (s segment) compress() error {
	plain, packed := sha256.New(), s
	packed.compressed = true
	err := durable.WriteStream(packed.path(), filePerm, func(w io.Writer) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
		if err != nil {
			return err
		}
		return errors.Join(s.copyTo(io.MultiWriter(z, plain)), z.Close())
	})
	if err != nil {
		return fmt.Errorf("compress audit segment: %w", err)
	}
	again := sha256.New()
	if err := packed.copyTo(again); err != nil {
		return fmt.Errorf("read the compressed audit segment again: %w", err)
	}
	if !sameSum(plain, again) {
		return errors.Join(fmt.Errorf("%s is not what was compressed", packed.path()), durable.Remove(packed.path()))
	}
	return durable.Remove(s.path())
}

func sameSum(a, b hash.Hash) bool { return string(a.Sum(nil)) == string(b.Sum(nil)) }

// copyTo writes the content of the segment to w.
func (s segment) copyTo(w io.Writer) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}
