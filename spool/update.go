// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// syncers bounds the fsyncs of one UpdateAll that are under way at a time: file systems put several into one write of their journal.
const syncers = 16

// Update changes an entry: all but its ID, Size, SHA256, Accepted and Version. change gets a copy, and must not call the Spool about
// the same entry; its error is returned and nothing is changed. With nil the change is on stable storage. With another error the
// entry is as it was, as long as the Spool is open; after the next Open it is as it was or changed, whole in either case. Errors:
// fs.ErrNotExist where there is no such entry, those of the file system, and Err's.
func (s *Spool) Update(id string, change func(*Entry) error) (Entry, error) {
	list, err := s.update([]string{id}, change)
	if err != nil {
		return Entry{}, err
	}
	return list[0], nil
}

// UpdateAll is Update for several entries, with as few fsyncs as possible: one for each entry, and one for each directory that they
// lie in. change is called for one after the other in the order of their IDs, before anything is written. Each entry is changed
// whole or not at all; after an error, or a crash, some can be changed and others not.
func (s *Spool) UpdateAll(ids []string, change func(*Entry) error) error {
	_, err := s.update(ids, change)
	return err
}

// pending is the change of one entry.
type pending struct {
	item  *item
	entry Entry
	temp  string // empty when there is nothing to remove
}

func (s *Spool) update(ids []string, change func(*Entry) error) ([]Entry, error) {
	end, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	items, unlock, err := s.take(ids)
	if err != nil {
		return nil, err
	}
	defer unlock()
	todo := make([]*pending, len(items))
	for i, it := range items {
		if todo[i], err = s.changed(it, change); err != nil {
			return nil, err
		}
	}
	err = s.writeAll(todo)
	if err == nil {
		err = s.replaceAll(todo)
	}
	for _, p := range todo {
		if p.temp != "" {
			s.discard(p.temp)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("change what is spooled: %w", s.located(err))
	}
	list := make([]Entry, len(todo))
	for i, p := range todo {
		list[i] = p.entry
	}
	return list, nil
}

// take finds items and locks them, in the order of their IDs so that two who need the same ones do not wait for each other.
func (s *Spool) take(ids []string) (items []*item, unlock func(), err error) {
	s.mu.RLock()
	for _, id := range ids {
		it := s.index.byID[id]
		if it == nil {
			s.mu.RUnlock()
			return nil, nil, fmt.Errorf("spooled file %.40q: %w", id, fs.ErrNotExist)
		}
		items = append(items, it)
	}
	s.mu.RUnlock()
	slices.SortFunc(items, func(a, b *item) int { return cmp.Compare(a.seq, b.seq) })
	items = slices.Compact(items)
	for _, it := range items {
		it.mu.Lock()
	}
	unlock = func() {
		for _, it := range items {
			it.mu.Unlock()
		}
	}
	for _, it := range items {
		if it.removed {
			unlock()
			return nil, nil, fmt.Errorf("spooled file %s: %w", entryID(it.seq), fs.ErrNotExist)
		}
	}
	return items, unlock, nil
}

// changed is what an entry is to become.
func (s *Spool) changed(it *item, change func(*Entry) error) (*pending, error) {
	was := it.entry // nobody writes it but the holder of it.mu
	e := was
	e.Receipt = slices.Clone(was.Receipt)
	e.Plan = slices.Clone(was.Plan)
	if err := change(&e); err != nil {
		return nil, err
	}
	if !e.unchanged(&was) || !e.State.valid() {
		return nil, fmt.Errorf("change spooled file %s: what is fixed with the commit was changed, or the state %q does not exist", was.ID, e.State)
	}
	if err := e.Meta.check(); err != nil {
		return nil, fmt.Errorf("change spooled file %s: %w", was.ID, err)
	}
	if e.State == Delivered && e.Delivered.IsZero() {
		e.Delivered = s.time()
	}
	e.Version++
	return &pending{item: it, entry: e}, nil
}

// writeAll puts the new records on stable storage, under names that nobody reads.
func (s *Spool) writeAll(todo []*pending) error {
	if len(todo) == 1 {
		return s.writeRecord(todo[0])
	}
	errs := make([]error, len(todo))
	slots := make(chan struct{}, syncers)
	var wg sync.WaitGroup
	for i, p := range todo {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = s.writeRecord(p)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *Spool) writeRecord(p *pending) error {
	b, err := encodeTrailer(p.entry, 0, s.keys.current)
	if err != nil {
		return err
	}
	temp := s.tempPath()
	f, err := s.sys.create(temp)
	if err != nil {
		return err
	}
	p.temp = temp
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// replaceAll puts the new records in the place of the old ones.
func (s *Spool) replaceAll(todo []*pending) error {
	var dirs []string
	var err error
	done := 0
	for _, p := range todo {
		if err = s.sys.rename(p.temp, s.recordPath(p.item.seq)); err != nil {
			break
		}
		p.temp = ""
		p.item.changed = true
		dirs = append(dirs, s.dirPath(p.item.seq>>dirBits))
		done++
	}
	if done > 0 {
		if ferr := s.flusher.wait(s.flusher.join(nil, dirs...)); ferr != nil {
			return ferr
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range todo[:done] {
		s.index.replace(p.item, p.entry)
	}
	if done < len(todo) {
		todo[done].item.changed = true // it may be there: a rename that failed can have been done
	}
	return err
}

func (s *Spool) recordPath(seq uint64) string { return s.entryPath(seq) + recordSuffix }

// Remove removes entries. With nil they are gone from stable storage. With an error some are gone, and of one it is not known: as long
// as Get finds it Remove can be called again, though OpenData may say fs.ErrNotExist already. Errors: fs.ErrNotExist where there is
// no such entry, and then none is removed, those of the file system, and Err's.
func (s *Spool) Remove(ids ...string) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	items, unlock, err := s.take(ids)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := s.removeFiles(items)
	if err != nil {
		err = fmt.Errorf("remove what is spooled: %w", s.located(err))
	}
	items = items[:done]
	// Only now, when the data are gone for good: without its record an entry that came back would come back as it was committed.
	for _, it := range items {
		if it.changed {
			s.discard(s.recordPath(it.seq))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		it.removed = true
		s.space.leave(1)
		s.space.hold(-it.entry.Size)
		if empty := s.index.delete(it); empty && it.seq>>dirBits+1 < s.made.Load() {
			_ = s.sys.remove(s.dirPath(it.seq >> dirBits)) // one that stays does no harm, and goes with the next start
		}
	}
	return err
}

// removeFiles returns how many of the items are gone from stable storage.
func (s *Spool) removeFiles(items []*item) (done int, err error) {
	var dirs []string
	for _, it := range items {
		// One that is not there was removed by a call that failed all the same.
		if err = s.sys.remove(s.entryPath(it.seq)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			break
		}
		err = nil
		dirs = append(dirs, s.dirPath(it.seq>>dirBits))
	}
	if len(dirs) > 0 {
		if ferr := s.flusher.wait(s.flusher.join(nil, dirs...)); ferr != nil {
			return 0, ferr
		}
	}
	return len(dirs), err
}

// discard removes a file that is nobody's. What it cannot remove Open will.
func (s *Spool) discard(path string) {
	if err := s.sys.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Warn("a file of the spool that is of no use any more is left until the next start", "path", path, "error", err)
	}
}
