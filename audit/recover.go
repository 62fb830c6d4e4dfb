// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// position is where the log goes on.
type position struct {
	segment segment
	born    time.Time // of the segment's first record; zero where it has none
	size    int64     // of the segment in bytes
	chain   chain
	last    []byte        // the last line; nil where the segment has none
	signed  int64         // records that the last checkpoint covers
	open    time.Duration // for which the log was open, as far as its records tell
}

// recoverLog finds the end of the log, and repairs it where a write was interrupted. Only the last segment is read: Verify reads all.
func recoverLog(dir string) (position, error) {
	list, err := segments(dir)
	if err != nil {
		return position{}, err
	}
	if err := durable.RemoveTemps(dir); err != nil {
		return position{}, err
	}
	at := position{segment: segment{dir: dir, number: 1}}
	var torn []byte
	if len(list) > 0 {
		at.segment = list[len(list)-1]
		if at.segment.compressed {
			return position{}, fmt.Errorf("%s: %w: the last segment is never compressed", at.segment.path(), errCut)
		}
		if torn, err = at.replay(func(step) {}); err != nil {
			return position{}, err
		}
	}
	if err := at.compareCheckpoint(); err != nil {
		return position{}, err
	}
	return at, at.cutTorn(torn)
}

// replay reads the last segment, holds each of its records to the one before, and returns what stands behind the last newline. Each
// record is shown to see.
func (at *position) replay(see func(step)) ([]byte, error) {
	start := &chain{}
	if at.segment.number > 1 {
		start = nil
	}
	lines := 0
	end, torn, err := at.segment.follow(start, nil, func(r step) error {
		if r.number == 1 {
			at.born = r.time
		}
		lines = r.number
		at.open = max(at.open, r.openTime())
		see(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	at.chain = *end
	info, err := os.Stat(at.segment.path())
	if err != nil {
		return nil, err
	}
	at.size = info.Size() - int64(len(torn))
	if lines > 0 {
		at.last, err = lastLine(at.segment.path(), at.size)
	}
	return torn, err
}

// lastLine reads the line that ends at end.
func lastLine(path string, end int64) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for length := int64(4096); ; length *= 2 {
		length = min(length, end)
		piece := make([]byte, length)
		if _, err := f.ReadAt(piece, end-length); err != nil {
			return nil, fmt.Errorf("read audit segment: %w", err)
		}
		if i := bytes.LastIndexByte(piece[:length-1], '\n'); i >= 0 || length == end {
			return piece[i+1:], nil
		}
	}
}

// compareCheckpoint refuses a log that is shorter than its own last checkpoint says: what was signed was on stable storage, so no
// crash has taken it away.
func (at *position) compareCheckpoint() error {
	text, err := os.ReadFile(filepath.Join(at.segment.dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(at.segment.dir, publicKeyFile))
	if err != nil {
		return fmt.Errorf("the key of the last checkpoint: %w", err)
	}
	c, err := OpenCheckpoint(text, string(key))
	switch {
	case err != nil:
		return fmt.Errorf("the last checkpoint: %w", err)
	case c.Size > at.chain.tree.size:
		return fmt.Errorf("%s: %w: the last checkpoint is of %d records, the log has %d; keep the directory as evidence and name another one",
			at.segment.path(), errCut, c.Size, at.chain.tree.size)
	case c.Size == at.chain.tree.size && c.Root != at.chain.tree.root():
		return fmt.Errorf("%s: %w", at.segment.path(), errRoot)
	}
	at.signed = c.Size
	return nil
}

// cutTorn takes a torn tail off the log and records it, in the order of the package documentation.
func (at *position) cutTorn(torn []byte) error {
	kept := filepath.Join(at.segment.dir, tornFile)
	saved, err := os.ReadFile(kept)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	if len(torn) > 0 {
		if !bytes.Equal(saved, torn) {
			saved = append(saved, torn...)
		}
		if err := durable.WriteFile(kept, saved, filePerm); err != nil {
			return err
		}
		if err := durable.Truncate(at.segment.path(), at.size); err != nil {
			return err
		}
	} else if !exists {
		return nil
	}
	recorded, err := at.recorded(saved)
	if err != nil {
		return err
	}
	if !recorded {
		if err := at.appendRecovered(saved); err != nil {
			return err
		}
	}
	return durable.Remove(kept)
}

// recorded reports whether the last record is that of the recovery of this tail.
func (at *position) recorded(tail []byte) (bool, error) {
	if at.last == nil {
		return false, nil
	}
	r, err := decodeLine(at.last)
	return r.Event == LogRecovered && r.Detail["tail"] == base64.StdEncoding.EncodeToString(tail), err
}

func (at *position) appendRecovered(tail []byte) (err error) {
	body, err := encodeBody(Record{
		Event: LogRecovered,
		Cause: "the log ended in an incomplete line, which nobody was told is there",
		Detail: map[string]string{
			"segment": at.segment.name(),
			"bytes":   strconv.Itoa(len(tail)),
			"tail":    base64.StdEncoding.EncodeToString(tail),
		},
	})
	if err != nil {
		return err
	}
	f, err := durable.OpenAppend(at.segment.path(), filePerm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line := at.chain.append(nil, later(at.chain.time, time.Now()), body)
	if _, err := f.Write(line); err != nil {
		return fmt.Errorf("record the recovery: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("record the recovery: %w", err)
	}
	at.size += int64(len(line))
	return nil
}
