// SPDX-License-Identifier: Apache-2.0

package ascii

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrNotText says that content is not text, so that its line endings must not be converted.
var ErrNotText = errors.New("the content is not text")

// textual holds the control characters that text has, as bits: BEL, BS, HT, LF, VT, FF, CR; STX and ETX, which frame the reports of
// protection relays; SUB, which ends text files of DOS (and of COMTRADE recorders, IEC 60255-24); ESC.
const textual = 1<<0x02 | 1<<0x03 | 1<<0x07 | 1<<0x08 | 1<<0x09 | 1<<0x0a | 1<<0x0b | 1<<0x0c | 1<<0x0d | 1<<0x1a | 1<<0x1b

// longestMagic is the length of the longest of magics.
const longestMagic = 5

// magics are beginnings of formats that can pass for text for a while.
func magics() []string {
	return []string{"\xff\xfe", "\xfe\xff", "\xff\xd8\xff", "\x89PNG", "%PDF-"}
}

// Checker looks at content piece by piece. The zero Checker is at the beginning.
type Checker struct {
	head   [longestMagic]byte // the first bytes of all
	offset int64
}

// Check looks at the next bytes. Its error Is ErrNotText and says where.
func (c *Checker) Check(p []byte) error {
	if c.offset < longestMagic {
		n := copy(c.head[c.offset:], p)
		seen := c.head[:int(c.offset)+n]
		for _, magic := range magics() {
			if bytes.HasPrefix(seen, []byte(magic)) {
				return fmt.Errorf("it begins with % x: %w", magic, ErrNotText)
			}
		}
	}
	for i, b := range p {
		if b < 0x20 && textual>>b&1 == 0 {
			return fmt.Errorf("byte %#02x at offset %d: %w", b, c.offset+int64(i), ErrNotText)
		}
	}
	c.offset += int64(len(p))
	return nil
}
