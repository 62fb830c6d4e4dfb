// SPDX-License-Identifier: Apache-2.0

package audit

import "time"

// stamp is when a checkpoint was signed, and of how many records.
type stamp struct {
	through uint64
	at      time.Time
}

// State is how a Log is doing, for who looks after it.
type State struct {
	Durable      uint64    // the last record that is on stable storage
	Checkpoint   uint64    // the last record that a checkpoint of this run covers; 0 before the first one
	CheckpointAt time.Time // zero before the first one
	Free         int64     // bytes on the file system of the log; -1 where they cannot be found out
	Err          error     // why nothing is taken; nil as long as the log works
}

// State looks at the log. It may be called by any goroutine.
func (l *Log) State() State {
	s := State{Durable: l.durable.Load(), Err: l.Err()}
	if last := l.stamp.Load(); last != nil {
		s.Checkpoint, s.CheckpointAt = last.through, last.at
	}
	var err error
	if s.Free, err = freeSpace(l.dir); err != nil {
		s.Free = -1
	}
	return s
}
