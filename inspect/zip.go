// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A zip archive (PKWARE APPNOTE.TXT) is described twice: by a header in front of each file, and by the central directory at its end.
// Unpackers go by either, and what the two say may differ, files may overlap, and every size may be a lie. So this goes through the
// archive from its first byte to its last, inflates each file, and takes nothing but an archive of which the two descriptions and
// what has been measured are the same, in which every byte belongs to exactly one part.

// Signatures of its parts, 4.3.6.
const (
	zipLocal      = 0x04034b50
	zipDescriptor = 0x08074b50
	zipCentral    = 0x02014b50
	zipEnd64      = 0x06064b50
	zipLocator64  = 0x07064b50
	zipEnd        = 0x06054b50
	zipEndSize    = 22 // of the last part, without its comment
)

// Flags of a file, 4.4.4: what none of them must have is encryption, patches and masked headers.
const (
	zipFlagDescriptor = 1 << 3
	zipFlagsEncrypted = 1<<0 | 1<<6 | 1<<13
	zipFlagPatch      = 1 << 5
)

var (
	errEncrypted = errors.New("it is encrypted")
	errHeader    = errors.New("a file in it is not as its header says")
	errTwoWays   = errors.New("its directory does not describe what is in it")
)

// zipFile is what is known of one file, all of it measured.
type zipFile struct {
	method, flags    uint16
	crc              uint32
	packed, unpacked uint64
}

// zipReader goes through an archive.
type zipReader struct {
	m     *measurement
	depth int
	r     *bufio.Reader
	at    uint64             // bytes read
	files map[uint64]zipFile // by the place of their headers; maxFiles at most
}

func (m *measurement) zip(r *bufio.Reader, depth int) error {
	z := &zipReader{m: m, depth: depth, r: r, files: map[uint64]zipFile{}}
	for {
		sig, err := z.signature()
		switch {
		case err != nil:
			return err
		case sig != zipLocal:
			return z.directory()
		}
		if err := z.file(); err != nil {
			return err
		}
	}
}

// Read and ReadByte count. That there is a ReadByte keeps flate from reading further than to the end of its data.
func (z *zipReader) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	z.at += uint64(n)
	return n, err
}

func (z *zipReader) ReadByte() (byte, error) {
	b, err := z.r.ReadByte()
	if err == nil {
		z.at++
	}
	return b, err
}

// signature is that of the next part, which is not read with it.
func (z *zipReader) signature() (uint32, error) {
	b, err := z.r.Peek(4)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (z *zipReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(z, b); err != nil {
		return nil, fmt.Errorf("it ends in the middle: %w", err)
	}
	return b, nil
}

// file goes through one file, from its header to its descriptor (4.3.7 to 4.3.9).
func (z *zipReader) file() error {
	place := z.at
	h, err := z.take(30)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	f := zipFile{flags: le.Uint16(h[6:]), method: le.Uint16(h[8:]), crc: le.Uint32(h[14:]), packed: uint64(le.Uint32(h[18:])), unpacked: uint64(le.Uint32(h[22:]))}
	if _, err := z.take(int(le.Uint16(h[26:]))); err != nil { // the name
		return err
	}
	extra, err := z.take(int(le.Uint16(h[28:])))
	if err != nil {
		return err
	}
	zip64(extra, &f.unpacked, &f.packed)
	switch {
	case f.flags&zipFlagsEncrypted != 0:
		return errEncrypted
	case f.flags&zipFlagPatch != 0:
		return errors.New("it holds a patch")
	}
	got, err := z.body(f)
	if err != nil {
		return err
	}
	z.files[place] = got
	if f.flags&zipFlagDescriptor == 0 {
		if got != f {
			return errHeader
		}
		return nil
	}
	// What the header says all the same must be right: some unpackers believe it.
	if f.crc != 0 && f.crc != got.crc || f.packed != 0 && f.packed != got.packed || f.unpacked != 0 && f.unpacked != got.unpacked {
		return errHeader
	}
	return z.descriptor(got)
}

// body goes through the data of a file and measures it. Where the header does not say how long they are they must be deflated, which
// has an end of its own.
func (z *zipReader) body(f zipFile) (zipFile, error) {
	begin := z.at
	var packed io.Reader = &section{z: z, left: f.packed}
	if f.flags&zipFlagDescriptor != 0 && f.packed == 0 && f.method == 8 {
		packed = z
	}
	var plain io.Reader
	switch f.method {
	case 0:
		plain = packed
	case 8:
		plain = flate.NewReader(packed)
	case 12, 93, 95:
		d, err := decoder(map[uint16]string{12: "bzip2", 93: "zstd", 95: "xz"}[f.method], packed)
		if err != nil {
			return f, err
		}
		defer d.Close() // what it has read has been checked
		plain = d
	default:
		return f, fmt.Errorf("a file is packed by method %d, which is not looked into", f.method)
	}
	sum := &summed{r: plain, crc: crc32.NewIEEE()}
	if err := z.m.inside(sum, z.depth); err != nil {
		return f, err
	}
	return zipFile{flags: f.flags, method: f.method, crc: sum.crc.Sum32(), packed: z.at - begin, unpacked: sum.n}, nil
}

// descriptor reads what stands behind a file (4.3.9). Whether it begins with a signature and whether its sizes have 4 or 8 bytes is
// told by nothing but that they must be those that were measured.
func (z *zipReader) descriptor(f zipFile) error {
	short := binary.LittleEndian.AppendUint32(nil, f.crc)
	long := bytes.Clone(short)
	short = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(short, uint32(f.packed)), uint32(f.unpacked))
	long = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(long, f.packed), f.unpacked)
	signed := binary.LittleEndian.AppendUint32(nil, zipDescriptor)
	ahead, err := z.r.Peek(len(signed) + len(long))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if max(f.packed, f.unpacked) > 0xffffffff {
		short = long
	}
	// The longer ones first: the bytes of a short one may be how a long one begins.
	for _, form := range [][]byte{append(bytes.Clone(signed), long...), append(signed, short...), long, short} {
		if bytes.HasPrefix(ahead, form) {
			_, err := z.take(len(form))
			return err
		}
	}
	return errors.New("a file is not as its descriptor says")
}

// section is a part of an archive of which the length is known.
type section struct {
	z    *zipReader
	left uint64
}

func (s *section) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.z.Read(p[:min(uint64(len(p)), s.left)])
	return n, s.took(uint64(n), err)
}

func (s *section) ReadByte() (byte, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	b, err := s.z.ReadByte()
	if err != nil {
		return 0, s.took(0, err)
	}
	return b, s.took(1, nil)
}

func (s *section) took(n uint64, err error) error {
	s.left -= n
	if errors.Is(err, io.EOF) && s.left > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// summed counts what is read, and works out its CRC-32.
type summed struct {
	r   io.Reader
	crc hash.Hash32
	n   uint64
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += uint64(n)
	s.crc.Write(p[:n])
	return n, err
}

// zip64 fills in those of the values that did not fit into 4 bytes, in this order (4.5.3).
func zip64(extra []byte, values ...*uint64) {
	le := binary.LittleEndian
	for len(extra) >= 4 {
		id, size := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; size > len(extra) {
			return
		}
		field := extra[:size]
		extra = extra[size:]
		if id != 1 {
			continue
		}
		for _, v := range values {
			if *v == 0xffffffff && len(field) >= 8 {
				*v, field = le.Uint64(field), field[8:]
			}
		}
		return
	}
}
