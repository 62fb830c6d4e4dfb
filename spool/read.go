// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"
	"syscall"
	"unique"
)

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

// readEntry reads the record that stands behind the data, and the one beside it, which is newer, if there is one. What is damaged is
// noted in f; an error is what says nothing about the entry.
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
