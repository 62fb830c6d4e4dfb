// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// MinRetention is the least time for which records are kept: what NERC CIP-007 R4.3 asks for, 90 days.
const MinRetention = 90 * 24 * time.Hour

// keepInterval is how often the keeper looks at the space; at the segments it looks when one was finished, and every 360th time.
const keepInterval = 10 * time.Second

// keep is the keeper goroutine: it compresses segments that are finished, removes those that are too old, and watches the space.
// It has a goroutine of its own so that none of this ever holds up a record. What it has to say goes into the log itself.
func (l *Log) keep() {
	defer close(l.kept)
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	k := keeper{log: l, free: freeSpace}
	k.tidy()
	k.watchSpace()
	for n := 1; ; n++ {
		select {
		case <-l.closing:
			return
		case <-l.rotated:
		case <-ticker.C:
			if n%360 != 0 {
				k.watchSpace()
				continue
			}
		}
		if l.Err() == nil {
			k.tidy()
		}
		k.watchSpace()
	}
}

// keeper is the state of the keeper goroutine.
type keeper struct {
	log     *Log
	free    func(dir string) (int64, error)
	low     bool   // the last record about the space said that it is low
	trouble string // the last that was recorded, so that the same is not recorded again and again
}

// tell records what has gone wrong, once.
func (k *keeper) tell(err error) {
	if err == nil {
		k.trouble = ""
		return
	}
	if errors.Is(err, ErrClosed) || err.Error() == k.trouble {
		return
	}
	k.trouble = err.Error()
	// An error of Note is that of the log as a whole, of which everybody hears anyway.
	_ = k.log.Note(Record{Event: LogTrouble, Cause: k.trouble})
}

// tidy removes and compresses segments. The last one is the writer's.
func (k *keeper) tidy() {
	list, err := segments(k.log.dir)
	if err != nil {
		k.tell(err)
		return
	}
	for i := 0; i+1 < len(list) && err == nil && !k.log.isClosing(); i++ {
		var removed bool
		removed, err = k.removeOld(list[i], list[i+1])
		if err == nil && !removed && !list[i].compressed {
			err = list[i].compress()
		}
	}
	k.tell(err)
}

func (l *Log) isClosing() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// removeOld removes a segment all of whose records are too old, which the first record of the next one tells. That it goes is on
// record, durably, before it is gone.
//
// No clock that can be set has a say in this: one that is years ahead would take all of the log away in one moment. The age is the time
// for which the log was open since, by the monotonic clock, over all runs: never more than has really passed.
func (k *keeper) removeOld(s, next segment) (bool, error) {
	if k.log.retention == 0 {
		return false, nil
	}
	h, err := next.first()
	if err != nil || k.log.openTime()-h.openTime() <= k.log.retention {
		return false, err
	}
	r := Record{Event: LogRemoved, Cause: "retention", Detail: map[string]string{
		"segment": s.name(),
		"through": strconv.FormatUint(h.seq-1, 10),
		"until":   h.time.Format(time.RFC3339Nano),
	}}
	if err := k.log.Record(context.Background(), r); err != nil {
		return false, err
	}
	return true, durable.Remove(s.path())
}

// first is the head of the first record of a segment.
func (s segment) first() (head, error) {
	f, err := s.open()
	if err != nil {
		return head{}, fmt.Errorf("read audit segment: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return head{}, fmt.Errorf("read audit segment %s: %w", s.path(), err)
	}
	return parseHead(line)
}

// watchSpace records when the space of the log's file system becomes low, and when it is no longer.
func (k *keeper) watchSpace() {
	if k.log.spaceWarning == 0 {
		return
	}
	free, err := k.free(k.log.dir)
	if err != nil {
		k.tell(err)
		return
	}
	// Where it hovers about the limit not every change is worth a record: it has recovered when an eighth more is free.
	low := free < k.log.spaceWarning || k.low && free < k.log.spaceWarning+k.log.spaceWarning/8
	if low == k.low {
		return
	}
	k.low = low
	r := Record{Event: LogSpaceLow, Detail: map[string]string{
		"free": strconv.FormatInt(free, 10), "warning": strconv.FormatInt(k.log.spaceWarning, 10),
	}}
	if !low {
		r.Event = LogSpaceOK
	}
	_ = k.log.Note(r) // as in tell
	if k.log.onSpace != nil {
		k.log.onSpace(low, free)
	}
}

// freeSpace is how much room the file system of dir has for who is not root, in bytes.
func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at the space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // the types differ between architectures
}
