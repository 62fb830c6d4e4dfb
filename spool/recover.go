// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recovery is what Open found, and what it did about it.
type Recovery struct {
	Entries    int           `json:"entries"`           // that are whole
	Bytes      int64         `json:"bytes"`             // of them
	Incomplete int           `json:"incomplete"`        // files of uploads and changes that were never completed: removed
	Orphans    int           `json:"orphans"`           // records left by a removal that was cut short: removed
	Damaged    []Damage      `json:"damaged,omitempty"` // found this time: set apart, for somebody to look at
	SetApart   int           `json:"set_apart"`         // entries that are set apart in all, from earlier starts, too
	Elapsed    time.Duration `json:"elapsed_ns"`
}

// Damage is an entry that is not what was written.
type Damage struct {
	ID string `json:"id"`
	// Known is what could be read of its record; nil for nothing.
	Known *Entry `json:"known,omitempty"`
	Cause string `json:"cause"`
	// Path is where its data are now, for OpenReadOnly where they were found. Its record, if it had one of its own, is beside it.
	Path string `json:"path"`
}

// found is what a scan knows about one entry.
type found struct {
	seq    uint64
	data   bool // there is a file of data
	record bool // there is a record of its own
	item   *item
	known  *Entry
	keys   [2]uint64 // of the data and of the record
	err    error     // that it is damaged
}

// recover builds the index, and, unless only read from, brings what a crash has left into order.
func (s *Spool) recover() error {
	begun := time.Now()
	if err := s.clearIncoming(); err != nil {
		return err
	}
	dirs, err := s.listDirs()
	if err != nil {
		return err
	}
	used := map[uint64]bool{}
	for i, n := range dirs {
		list, err := s.scanDir(n)
		if err != nil {
			return err
		}
		if err := s.admit(n, i+1 == len(dirs), list, used); err != nil {
			return err
		}
	}
	if n := len(dirs); n > 0 {
		// No ID is given twice, whatever has been removed: the directory with the highest number stays, and is not used again.
		s.made.Store(dirs[n-1] + 1)
		s.next = s.made.Load() << dirBits
	}
	s.recovered.Elapsed = time.Since(begun)
	apart, err := s.sys.readDir(s.path(damagedDir))
	if err != nil && !(s.readOnly && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for _, name := range apart {
		if !strings.HasSuffix(name, recordSuffix) {
			s.recovered.SetApart++
		}
	}
	if s.readOnly || len(apart) > 0 {
		return nil // what is set apart may need any key
	}
	return s.keys.tidy(used)
}

// clearIncoming removes what was never committed.
func (s *Spool) clearIncoming() error {
	dir := s.path(incomingDir)
	names, err := s.sys.readDir(dir)
	if err != nil && !(s.readOnly && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	s.recovered.Incomplete = len(names)
	if s.readOnly {
		return nil
	}
	for _, name := range names {
		if err := s.sys.remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove an incomplete file: %w", err)
		}
	}
	return nil
}

// listDirs returns the numbers of the directories of entries, sorted.
func (s *Spool) listDirs() ([]uint64, error) {
	names, err := s.sys.readDir(s.path(entriesDir))
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, name := range names {
		n, err := strconv.ParseUint(name, 16, 64-dirBits)
		if err != nil || fmt.Sprintf("%013x", n) != name {
			s.damaged(Damage{ID: name, Cause: "this is no directory of the spool", Path: s.path(entriesDir, name)})
			continue
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

func (s *Spool) damaged(d Damage) {
	s.recovered.Damaged = append(s.recovered.Damaged, d)
	s.logger.Error("a file in the spool is damaged: it is set apart and not delivered", "entry", d.ID, "path", d.Path, "cause", d.Cause)
}

// scanDir reads all entries of one directory, sorted by ID.
func (s *Spool) scanDir(n uint64) ([]*found, error) {
	names, err := s.sys.readDir(s.dirPath(n))
	if err != nil {
		return nil, err
	}
	bySeq := map[uint64]*found{}
	var list []*found
	for _, name := range names {
		id, record := strings.CutSuffix(name, recordSuffix)
		seq, err := strconv.ParseUint(id, 16, 64)
		if err != nil || entryID(seq) != id || seq>>dirBits != n {
			s.damaged(Damage{ID: name, Cause: "this is no file of the spool", Path: filepath.Join(s.dirPath(n), name)})
			continue
		}
		f := bySeq[seq]
		if f == nil {
			f = &found{seq: seq}
			bySeq[seq] = f
			list = append(list, f)
		}
		if record {
			f.record = true
		} else {
			f.data = true
		}
	}
	slices.SortFunc(list, func(a, b *found) int { return int(int64(a.seq - b.seq)) })
	return list, s.readAll(list)
}

// admit takes what was found in one directory into the index, and puts the rest away.
func (s *Spool) admit(n uint64, last bool, list []*found, used map[uint64]bool) error {
	whole := 0
	for _, f := range list {
		var err error
		switch {
		case f.item != nil:
			whole++
			used[f.keys[0]], used[f.keys[1]] = true, true
			s.index.insert(f.item)
			s.space.hold(f.item.entry.Size)
			s.space.files++ // nobody else is there yet
			s.recovered.Entries++
			s.recovered.Bytes += f.item.entry.Size
		case f.err != nil:
			err = s.setApart(f)
		case f.record && !f.data && !s.readOnly:
			err = s.clearOrphan(f)
		}
		if err != nil {
			return err
		}
	}
	if s.readOnly {
		return nil
	}
	if whole == 0 && !last {
		_ = s.sys.remove(s.dirPath(n)) // it may hold what is not ours
		return nil
	}
	// A process that was killed may not have come to this: what is in the index is on stable storage.
	return s.sys.syncDir(s.dirPath(n))
}

// setApart moves a damaged entry out of the way. Nothing of it is changed.
func (s *Spool) setApart(f *found) error {
	d := Damage{ID: entryID(f.seq), Known: f.known, Cause: f.err.Error(), Path: s.entryPath(f.seq)}
	if !s.readOnly {
		d.Path = s.path(damagedDir, d.ID)
		if err := s.moveApart(s.entryPath(f.seq), d.Path); err != nil {
			return err
		}
		// Only now: without its record the entry would come back as it was committed.
		if f.record {
			if err := s.moveApart(s.recordPath(f.seq), d.Path+recordSuffix); err != nil {
				return err
			}
		}
	}
	s.damaged(d)
	return nil
}

func (s *Spool) moveApart(from, to string) error {
	if err := s.sys.rename(from, to); err != nil {
		return fmt.Errorf("set a damaged file apart: %w", err)
	}
	return s.sys.syncDir(s.path(damagedDir))
}

// clearOrphan takes away a record whose data are gone: the entry was being removed, or set apart.
func (s *Spool) clearOrphan(f *found) error {
	path := s.recordPath(f.seq)
	if _, err := s.sys.stat(s.path(damagedDir, entryID(f.seq))); err == nil {
		return s.moveApart(path, s.path(damagedDir, entryID(f.seq)+recordSuffix))
	}
	s.recovered.Orphans++
	s.logger.Warn("the removal of a spooled file is completed", "entry", entryID(f.seq))
	return s.sys.remove(path)
}
