// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// directory reads the central directory and all that stands behind it, to the end (4.3.12 to 4.3.16). It must name each file that
// was gone through, once, and nothing else.
func (z *zipReader) directory() error {
	begin, count := z.at, uint64(len(z.files))
	for n := uint64(0); ; n++ {
		sig, err := z.signature()
		if err != nil {
			return err
		}
		if sig != zipCentral {
			if n != count || len(z.files) > 0 {
				return errTwoWays
			}
			break
		}
		if err := z.entry(); err != nil {
			return err
		}
	}
	size := z.at - begin
	sig, err := z.signature()
	if err != nil {
		return err
	}
	wide := sig == zipEnd64
	if wide {
		if err := z.end64(begin, size, count); err != nil {
			return err
		}
	}
	return z.end(begin, size, count, wide)
}

// entry reads one file's line of the directory (4.3.12) and strikes the file off.
func (z *zipReader) entry() error {
	h, err := z.take(46)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	f := zipFile{flags: le.Uint16(h[8:]), method: le.Uint16(h[10:]), crc: le.Uint32(h[16:]), packed: uint64(le.Uint32(h[20:])), unpacked: uint64(le.Uint32(h[24:]))}
	place := uint64(le.Uint32(h[42:]))
	if _, err := z.take(int(le.Uint16(h[28:]))); err != nil { // the name
		return err
	}
	extra, err := z.take(int(le.Uint16(h[30:])))
	if err != nil {
		return err
	}
	zip64(extra, &f.unpacked, &f.packed, &place)
	if _, err := z.take(int(le.Uint16(h[32:]))); err != nil { // the comment
		return err
	}
	found, ok := z.files[place]
	found.flags = f.flags // whether there is a descriptor says the header
	if f.flags&zipFlagsEncrypted != 0 || !ok || found != f {
		return errTwoWays
	}
	delete(z.files, place)
	return nil
}

// end64 reads the end of the directory with wide fields, and the part that says where it is (4.3.14, 4.3.15).
func (z *zipReader) end64(begin, size, count uint64) error {
	place := z.at
	h, err := z.take(56)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if le.Uint64(h[4:]) != 44 { // what follows the fixed fields is for PKWARE's own encryption
		return fmt.Errorf("%w: its end is of an unknown kind", errTwoWays)
	}
	if le.Uint32(h[16:]) != 0 || le.Uint32(h[20:]) != 0 || le.Uint64(h[24:]) != count || le.Uint64(h[32:]) != count || le.Uint64(h[40:]) != size || le.Uint64(h[48:]) != begin {
		return errTwoWays
	}
	l, err := z.take(20)
	if err != nil {
		return err
	}
	if le.Uint32(l) != zipLocator64 || le.Uint32(l[4:]) != 0 || le.Uint64(l[8:]) != place || le.Uint32(l[16:]) > 1 {
		return errTwoWays
	}
	return nil
}

// end reads the last part (4.3.16).
func (z *zipReader) end(begin, size, count uint64, wide bool) error {
	h, err := z.take(zipEndSize)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	// A field that is full leaves it to the wide one.
	same := func(field, full, want uint64) bool { return field == want || wide && field == full }
	if le.Uint32(h) != zipEnd || le.Uint16(h[4:]) != 0 || le.Uint16(h[6:]) != 0 ||
		!same(uint64(le.Uint16(h[8:])), 0xffff, count) || !same(uint64(le.Uint16(h[10:])), 0xffff, count) ||
		!same(uint64(le.Uint32(h[12:])), 0xffffffff, size) || !same(uint64(le.Uint32(h[16:])), 0xffffffff, begin) {
		return errTwoWays
	}
	comment, err := z.take(int(le.Uint16(h[20:])))
	if err != nil {
		return err
	}
	if bytes.Contains(comment, []byte("PK\x05\x06")) {
		return fmt.Errorf("%w: there is a second end in its comment", errTwoWays)
	}
	if _, err := z.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something stands behind its end"), err)
	}
	return nil
}

// hasZipEnd reports whether the last bytes of a file are the end of a zip archive, as unpackers look for it.
func hasZipEnd(tail []byte) bool {
	for {
		i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
		if i < 0 {
			return false
		}
		if end := tail[i:]; len(end) >= zipEndSize && len(end) >= zipEndSize+int(binary.LittleEndian.Uint16(end[20:])) {
			return true
		}
		tail = tail[:i]
	}
}
