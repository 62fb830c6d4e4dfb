// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// disk carries out the calls of a Spool on a real directory and keeps book of what a power cut would leave of it: of each file what
// was fsynced, and of each directory the names that were there when it was last fsynced. Everything else may be there or not.
type disk struct {
	root string

	mu      sync.Mutex
	n       int // calls so far
	failAt  int // the number of the call that fails, 0 for none
	done    bool
	err     error                  // of that call
	failed  string                 // what it was
	after   func(n int, op string) // called after each call with mu held
	live    map[string]*node
	durable map[string]*node
	pending []change
}

// node is a file or a directory.
type node struct {
	dir          bool
	data, synced []byte
}

// change is one of names: a node gets a name, loses one, or both. It is on stable storage when dir is fsynced.
type change struct {
	dir      string
	from, to string
	node     *node
}

func (c change) apply(names map[string]*node) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

// newDisk takes what is in root for durable.
func newDisk(t testing.TB, root string) *disk {
	t.Helper()
	d := &disk{root: root, live: map[string]*node{}}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		n := &node{dir: e.IsDir()}
		if !n.dir {
			if n.data, err = os.ReadFile(path); err != nil {
				return err
			}
			n.synced = n.data
		}
		d.live[path] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.durable = maps.Clone(d.live)
	return d
}

// call does one thing and keeps book of it, or fails.
func (d *disk) call(op string, do func() error, book func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	fails := d.n == d.failAt
	if fails {
		d.failed = op
	}
	var err error
	if !fails || d.done {
		if err = do(); err == nil && book != nil {
			book()
		}
	}
	if fails {
		err = d.err
	}
	if d.after != nil {
		d.after(d.n, op)
	}
	return err
}

func (d *disk) add(c change) {
	c.apply(d.live)
	d.pending = append(d.pending, c)
}

// bookedFile is an open file or directory of a disk.
type bookedFile struct {
	file
	d    *disk
	path string
	node *node
}

func (f *bookedFile) Write(p []byte) (n int, err error) {
	err = f.d.call("write", func() (e error) { n, e = f.file.Write(p); return e }, func() { f.node.data = append(f.node.data, p...) })
	return n, err
}

func (f *bookedFile) Sync() error {
	name := "fsync file"
	if f.node.dir {
		name = "fsync dir"
	}
	// The real fsync would take most of the time and show nothing.
	return f.d.call(name, func() error { return nil }, func() { f.d.sync(f.path, f.node) })
}

func (d *disk) sync(path string, n *node) {
	if !n.dir {
		n.synced = bytes.Clone(n.data)
		return
	}
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		if c.dir == path {
			c.apply(d.durable)
		}
		return c.dir == path
	})
}

func (f *bookedFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.d.call("read", func() (e error) { n, e = f.file.ReadAt(p, off); return e }, nil)
	return n, err
}

func (f *bookedFile) Stat() (i fs.FileInfo, err error) {
	err = f.d.call("fstat", func() (e error) { i, e = f.file.Stat(); return e }, nil)
	return i, err
}

// Close always closes, so that a test leaks nothing.
func (f *bookedFile) Close() error {
	err := f.file.Close()
	return f.d.call("close", func() error { return err }, nil)
}

func (d *disk) file(op, path string, open func(string) (file, error), book func() *node) (f file, err error) {
	var b *bookedFile
	err = d.call(op, func() (e error) { f, e = open(path); return e }, func() { b = &bookedFile{f, d, path, book()} })
	if err != nil {
		if b != nil {
			_ = f.Close() // it failed, but was done
		}
		return nil, err
	}
	return b, nil
}

func (d *disk) calls() calls {
	s := system()
	return calls{
		create: func(path string) (file, error) {
			return d.file("create", path, s.create, func() *node {
				n := &node{}
				d.add(change{dir: filepath.Dir(path), to: path, node: n})
				return n
			})
		},
		open: func(path string) (file, error) {
			return d.file("open", path, s.open, func() *node { return d.live[path] })
		},
		rename: func(from, to string) error {
			return d.call("rename", func() error { return s.rename(from, to) }, func() {
				d.add(change{dir: filepath.Dir(to), from: from, to: to, node: d.live[from]})
			})
		},
		remove: func(path string) error {
			return d.call("remove", func() error { return s.remove(path) }, func() { d.add(change{dir: filepath.Dir(path), from: path}) })
		},
		mkdir: func(path string) error {
			return d.call("mkdir", func() error { return s.mkdir(path) }, func() {
				d.add(change{dir: filepath.Dir(path), to: path, node: &node{dir: true}})
			})
		},
		readDir: func(path string) (names []string, err error) {
			err = d.call("readdir", func() (e error) { names, e = s.readDir(path); return e }, nil)
			slices.Sort(names)
			return names, err
		},
		stat: func(path string) (i fs.FileInfo, err error) {
			err = d.call("stat", func() (e error) { i, e = s.stat(path); return e }, nil)
			return i, err
		},
		free: func(path string) (n int64, err error) {
			err = d.call("statfs", func() (e error) { n, e = s.free(path); return e }, nil)
			return n, err
		},
	}
}

// image is what one power cut leaves.
type image map[string]*node

// images are what a power cut at this moment could leave: nothing that was not fsynced, everything, and random choices in between.
func (d *disk) images(random int) []image {
	list := []image{
		d.image(func(change) bool { return false }, func(n *node) []byte { return n.synced }),
		d.image(func(change) bool { return true }, func(n *node) []byte { return n.synced }),
		d.image(func(change) bool { return true }, func(n *node) []byte { return n.data }),
	}
	r := rand.New(rand.NewPCG(uint64(d.n), 1))
	for range random {
		list = append(list, d.image(func(change) bool { return r.IntN(2) == 0 }, func(n *node) []byte {
			kept := bytes.Clone(n.data[:len(n.synced)+r.IntN(len(n.data)-len(n.synced)+1)])
			if r.IntN(2) == 0 {
				clear(kept[len(n.synced):]) // the length reached the disk, the bytes did not
			}
			return kept
		}))
	}
	return list
}

func (d *disk) image(named func(change) bool, content func(*node) []byte) image {
	names := maps.Clone(d.durable)
	for _, c := range d.pending {
		if named(c) {
			c.apply(names)
		}
	}
	for path, n := range names {
		names[path] = &node{dir: n.dir}
		if !n.dir {
			names[path].data = content(n)
		}
	}
	return names
}

// write makes the image a directory. What lies in a directory that is lost is lost.
func (m image) write(t testing.TB, from, to string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(m)) {
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if _, err := os.Stat(filepath.Dir(target)); err != nil {
			continue
		}
		var err error
		if m[path].dir {
			err = os.Mkdir(target, 0o700)
		} else {
			err = os.WriteFile(target, m[path].data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (m image) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "  %s %d\n", path, len(m[path].data))
	}
	return b.String()
}
