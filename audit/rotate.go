// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// segmentRecord is the first record of each segment but the first: it says what was before, so that the segment can be verified and
// continued without the others.
func segmentRecord(s segment, before *chain, open time.Duration) Record {
	return Record{Event: LogSegment, Detail: map[string]string{
		openSeconds: formatOpen(open),
		"segment":   s.name(),
		"records":   strconv.FormatUint(before.seq(), 10),
		"tree":      before.tree.String(),
	}}
}

// isFull reports whether the segment that is written has come to its size or its age.
func (l *Log) isFull(now time.Time) bool {
	if l.at.size == 0 {
		return false
	}
	return l.segmentSize > 0 && l.at.size >= l.segmentSize || l.segmentAge > 0 && now.Sub(l.at.born) >= l.segmentAge
}

// rotate begins the next segment. It appears whole with its first record, so that a crash leaves either none of it or a segment
// that can be continued; the one before ends on stable storage first.
func (l *Log) rotate(now time.Time) error {
	if err := l.settle(); err != nil {
		return err
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close the audit segment: %w", err)
	}
	l.file = closedFile{}
	next := segment{dir: l.dir, number: l.at.segment.number + 1}
	body, err := encodeBody(segmentRecord(next, &l.at.chain, l.openTime()))
	if err != nil {
		return err
	}
	line := l.at.chain.append(nil, now, body)
	if err := durable.WriteFile(next.path(), line, filePerm); err != nil {
		return fmt.Errorf("begin the next audit segment: %w", err)
	}
	file, err := l.openSegment(next.path())
	if err != nil {
		return fmt.Errorf("open the next audit segment: %w", err)
	}
	l.file = file
	l.at.segment, l.at.size, l.at.born = next, int64(len(line)), now
	l.whole = l.at.extent()
	l.sure = l.whole
	l.durable.Store(l.at.chain.seq())
	select {
	case l.rotated <- struct{}{}:
	default: // the keeper will look anyway
	}
	return nil
}

// closedFile stands in the place of a segment between two of them; nothing is written to it, because an error ends the log.
type closedFile struct{}

func (closedFile) Write([]byte) (int, error) { return 0, ErrClosed }
func (closedFile) Sync() error               { return ErrClosed }
func (closedFile) Close() error              { return nil }
