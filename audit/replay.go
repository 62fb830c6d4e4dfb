// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var errNoSegmentRecord = errors.New("a segment that is not the first must begin with a log.segment record")

// base is the state of the log before the segment whose first line this is, as the line itself says it.
func (s segment) base(line []byte) (chain, error) {
	h, err := parseHead(line)
	if err != nil {
		return chain{}, err
	}
	r, err := decodeLine(line)
	if err != nil {
		return chain{}, err
	}
	if r.Event != LogSegment || r.Detail["segment"] != s.name() {
		return chain{}, errNoSegmentRecord
	}
	size, err := strconv.ParseInt(r.Detail["records"], 10, 64)
	if err != nil || size < 0 || uint64(size) != h.seq-1 {
		return chain{}, fmt.Errorf("%w: %q records before seq %d", errSeq, r.Detail["records"], h.seq)
	}
	t, err := parseTree(size, r.Detail["tree"])
	return chain{time: h.time, prev: h.prev, tree: t}, err
}

// step is a record that follows the one before it.
type step struct {
	head
	number int    // of the line in its segment, from 1
	line   []byte // without the newline; valid only during the call
	before *chain // the log before this record
}

// follow checks the lines of a segment, which continue c. A c that is nil begins with what the segment says was before. Each
// line that is right is shown to seen, which may refuse it. It returns the log behind the last one, and what stands behind the last newline.
func (s segment) follow(c *chain, see observer, seen func(step) error) (_ *chain, torn []byte, err error) {
	torn, err = s.lines(func(number int, line []byte) error {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if c == nil {
			base, err := s.base(line)
			if err != nil {
				return &LineError{File: s.path(), Line: number, Err: err}
			}
			c = &base
			if see != nil {
				base.tree.tell(see)
			}
		}
		h, err := c.check(line)
		if err == nil && number == 1 && s.number > 1 {
			err = s.compare(line, c)
		}
		if err == nil {
			err = seen(step{head: h, number: number, line: line, before: c})
		}
		if err != nil {
			return &LineError{File: s.path(), Line: number, Seq: c.seq() + 1, Err: err}
		}
		c.move(h.time, recordHash(line), see)
		return nil
	})
	if err == nil && c == nil {
		err = &LineError{File: s.path(), Line: 1, Err: errNoSegmentRecord}
	}
	return c, torn, err
}

// compare holds what a segment says of the records before it to what they were.
func (s segment) compare(line []byte, before *chain) error {
	said, err := s.base(line)
	if err != nil {
		return err
	}
	if said.tree.root() != before.tree.root() {
		return errors.New("what the segment says of the records before it is not what they were")
	}
	return nil
}
