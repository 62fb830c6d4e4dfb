// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"sync"
)

// item is an entry in memory.
type item struct {
	seq  uint64
	data int64  // bytes of the data on disk
	key  uint64 // of their encryption

	// mu is held by whoever changes or removes the entry, from the first look to the index.
	mu      sync.Mutex
	changed bool // there is a record beside the one in the data file
	removed bool

	entry Entry // of the index's lock
}

// index finds entries. It has no lock of its own.
type index struct {
	byID  map[string]*item
	order []*item // by ID, with one that has no ID where an item was removed
	gone  int     // how many of those
	dirs  map[string]*directory
	count map[uint64]int // entries by directory on disk
	total map[State]*Count
}

// Count is a number of entries and of their bytes.
type Count struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// directory is one directory of the devices' file system, as far as live entries are in it. Its key is the conduit, a zero byte and
// the path.
type directory struct {
	files map[string][]*item // versions of a name, oldest first
	below map[string]int     // names of sub-directories, and how many entries they hold at any depth
}

func newIndex() index {
	return index{
		byID: map[string]*item{}, dirs: map[string]*directory{}, count: map[uint64]int{},
		total: map[State]*Count{Waiting: {}, Held: {}, Aside: {}, Delivered: {}},
	}
}

func dirKey(conduit, dir string) string { return conduit + "\x00" + dir }

// insert adds an item whose ID is greater than all before.
func (x *index) insert(it *item) {
	x.byID[it.entry.ID] = it
	x.order = append(x.order, it)
	x.count[it.seq>>dirBits]++
	x.link(it)
}

// delete reports whether the directory on disk has become empty.
func (x *index) delete(it *item) bool {
	x.unlink(it)
	delete(x.byID, it.entry.ID)
	at, _ := slices.BinarySearchFunc(x.order, it.seq, func(o *item, seq uint64) int { return cmp.Compare(o.seq, seq) })
	x.order[at] = &item{seq: it.seq} // keeps the order; nobody finds it
	if x.gone++; x.gone > len(x.order)/2+64 {
		x.order = slices.DeleteFunc(x.order, func(o *item) bool { return o.entry.ID == "" })
		x.gone = 0
	}
	n := it.seq >> dirBits
	x.count[n]--
	if x.count[n] > 0 {
		return false
	}
	delete(x.count, n)
	return true
}

// replace gives an item new content.
func (x *index) replace(it *item, e Entry) {
	x.unlink(it)
	it.entry = e
	x.link(it)
}

// link counts an item and hangs it into its directory if it is live.
func (x *index) link(it *item) {
	t := x.total[it.entry.State]
	t.Entries++
	t.Bytes += it.entry.Size
	if !it.entry.State.Live() {
		return
	}
	full := it.entry.Full()
	dir, name := path.Dir(full), path.Base(full)
	d := x.directory(it.entry.Conduit, dir)
	list := d.files[name]
	at, _ := slices.BinarySearchFunc(list, it.seq, func(o *item, seq uint64) int { return cmp.Compare(o.seq, seq) })
	d.files[name] = slices.Insert(list, at, it)
	for dir != "/" {
		parent := path.Dir(dir)
		x.directory(it.entry.Conduit, parent).below[path.Base(dir)]++
		dir = parent
	}
}

func (x *index) directory(conduit, dir string) *directory {
	key := dirKey(conduit, dir)
	d := x.dirs[key]
	if d == nil {
		d = &directory{files: map[string][]*item{}, below: map[string]int{}}
		x.dirs[key] = d
	}
	return d
}

// unlink takes back what link did.
func (x *index) unlink(it *item) {
	t := x.total[it.entry.State]
	t.Entries--
	t.Bytes -= it.entry.Size
	if !it.entry.State.Live() {
		return
	}
	conduit, full := it.entry.Conduit, it.entry.Full()
	dir, name := path.Dir(full), path.Base(full)
	d := x.dirs[dirKey(conduit, dir)]
	d.files[name] = slices.DeleteFunc(d.files[name], func(o *item) bool { return o == it })
	if len(d.files[name]) == 0 {
		delete(d.files, name)
	}
	x.prune(conduit, dir)
	for dir != "/" {
		parent := path.Dir(dir)
		p := x.dirs[dirKey(conduit, parent)]
		if p.below[path.Base(dir)]--; p.below[path.Base(dir)] == 0 {
			delete(p.below, path.Base(dir))
		}
		x.prune(conduit, parent)
		dir = parent
	}
}

func (x *index) prune(conduit, dir string) {
	key := dirKey(conduit, dir)
	if d := x.dirs[key]; len(d.files) == 0 && len(d.below) == 0 {
		delete(x.dirs, key)
	}
}

// Get finds an entry by its ID.
func (s *Spool) Get(id string) (Entry, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	it := s.index.byID[id]
	if it == nil {
		return Entry{}, false
	}
	return it.entry, true
}

// Lookup returns the live entries for one path below a conduit's root, oldest first: a device may store the same name again.
func (s *Spool) Lookup(conduit, full string) []Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := s.index.dirs[dirKey(conduit, path.Dir(full))]
	if d == nil {
		return nil
	}
	var list []Entry
	for _, it := range d.files[path.Base(full)] {
		list = append(list, it.entry)
	}
	return list
}

// Children returns what live entries make visible in a directory below a conduit's root: the newest one for each name, and the names
// of sub-directories with live entries at any depth. Both are sorted by name.
func (s *Spool) Children(conduit, dir string) (files []Entry, dirs []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := s.index.dirs[dirKey(conduit, dir)]
	if d == nil {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		list := d.files[name]
		files = append(files, list[len(list)-1].entry)
	}
	return files, slices.Sorted(maps.Keys(d.below))
}
