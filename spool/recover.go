// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unique"
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

// readAll reads the records of entries, on all processors.
func (s *Spool) readAll(list []*found) error {
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for i := w; i < len(list) && errs[w] == nil; i += workers {
				if list[i].data {
					errs[w] = s.readEntry(list[i], buf)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// readEntry reads the record that stands behind the data, and the one beside it, which is newer, if there is one. What is damaged is noted in f; an
// error is what says nothing about the entry.
func (s *Spool) readEntry(f *found, buf []byte) error {
	foot, e, err := s.readRecord(s.entryPath(f.seq), buf)
	if err == nil {
		first := e
		f.known, f.keys[0] = &first, foot.key
		if e.ID != "" || e.Version != 0 || foot.key == 0 && foot.data != e.Size {
			err = fmt.Errorf("%w: the record behind the data is not about them", errDamaged)
		}
	}
	if err == nil && f.record {
		e, err = s.readNewer(f, e, buf)
	}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) && s.readOnly:
		f.data = false // removed by its owner, meanwhile
		return nil
	case errors.Is(err, errDamaged), errors.Is(err, syscall.EIO):
		f.err = err
		return nil
	default:
		return err
	}
	e.ID = entryID(f.seq)
	intern(&e)
	f.known = &e
	f.item = &item{seq: f.seq, data: foot.data, key: foot.key, changed: f.record, entry: e}
	return nil
}

// readNewer reads the record beside the data.
func (s *Spool) readNewer(f *found, first Entry, buf []byte) (Entry, error) {
	foot, e, err := s.readRecord(s.recordPath(f.seq), buf)
	if err != nil {
		return Entry{}, fmt.Errorf("the record beside the data: %w", err)
	}
	f.keys[1] = foot.key
	if foot.data != 0 || e.ID != entryID(f.seq) || e.Size != first.Size || e.SHA256 != first.SHA256 || e.Version == 0 {
		return Entry{}, fmt.Errorf("%w: the record beside the data is of another file", errDamaged)
	}
	return e, nil
}

// intern keeps one copy of what many entries share.
func intern(e *Entry) {
	for _, p := range []*string{&e.Conduit, &e.Home, &e.Zone, &e.Device, &e.Session, &e.Peer, &e.Op, &e.Rule, &e.Reason, &e.Policy, &e.Verify,
		&e.Set, &e.Type, &e.Conversion, &e.Content, &e.LastError} {
		*p = unique.Make(*p).Value()
	}
	e.State = State(unique.Make(string(e.State)).Value())
}

// readRecord reads the record at the end of a file. buf is for its use.
func (s *Spool) readRecord(path string, buf []byte) (_ footer, _ Entry, err error) {
	f, err := s.sys.open(path)
	if err != nil {
		return footer{}, Entry{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return footer{}, Entry{}, err
	}
	if !info.Mode().IsRegular() || info.Size() < footerSize {
		return footer{}, Entry{}, fmt.Errorf("%w: it is no file, or too short", errDamaged)
	}
	b := buf[:min(int64(len(buf)), info.Size())]
	if err := readAt(f, b, info.Size()-int64(len(b))); err != nil {
		return footer{}, Entry{}, err
	}
	foot, err := parseFooter(b[len(b)-footerSize:], info.Size())
	if err != nil {
		return footer{}, Entry{}, err
	}
	whole := foot.record + footerSize
	if whole > maxRecord {
		return footer{}, Entry{}, fmt.Errorf("%w: the record has %d bytes", errDamaged, foot.record)
	}
	if whole > int64(len(b)) {
		b = make([]byte, whole)
		if err := readAt(f, b, foot.data); err != nil {
			return footer{}, Entry{}, err
		}
	}
	b = b[int64(len(b))-whole:]
	if err := checkTrailer(b); err != nil {
		return footer{}, Entry{}, err
	}
	key, err := s.keys.get(foot.key)
	if err != nil {
		return footer{}, Entry{}, err
	}
	line, err := key.unseal(b[:foot.record], sealedRecord)
	if err != nil {
		return footer{}, Entry{}, err
	}
	e, err := decodeRecord(line)
	return foot, e, err
}

// maxRecord bounds what a footer can make us read, in bytes: a path and a receipt have a few kilobytes.
const maxRecord = 16 << 20

// readAt fills b. A file that has become shorter is damaged.
func readAt(f file, b []byte, offset int64) error {
	n, err := f.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it became shorter while it was read", errDamaged)
	default:
		return fmt.Errorf("read: %w", err)
	}
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
