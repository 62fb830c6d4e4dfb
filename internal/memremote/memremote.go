// SPDX-License-Identifier: Apache-2.0

// Package memremote is a far side of a conduit in memory, for tests of what stands in front of it. It keeps the contract of package
// gateway, and can be told to fail at any step.
package memremote

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// Step names a place where a Remote can fail.
type Step string

// The steps of an upload, a download, and all else.
const (
	Available Step = "available"
	Begin     Step = "begin"
	Write     Step = "write"
	Commit    Step = "commit"
	Publish   Step = "publish" // behind the terms, before the file has its name
	Open      Step = "open"
	Read      Step = "read"
	Look      Step = "look"
	Change    Step = "change"
)

// pieceSize is how many bytes are read at a time.
const pieceSize = 32 << 10

// Remote is a tree of files. The zero Remote is empty, with every home there.
type Remote struct {
	// Fail, where not nil, is asked at every step; its error is the step's. It may block.
	Fail func(s Step, name string) error

	mu    sync.Mutex
	files map[string]*node // by Location.String()
	open  int              // uploads neither committed nor aborted
}

type node struct {
	data []byte
	dir  bool
	mode fs.FileMode
	time time.Time
}

var _ gateway.Remote = (*Remote)(nil)

func (r *Remote) fail(s Step, name string) error {
	if r.Fail == nil {
		return nil
	}
	return r.Fail(s, name)
}

// Put makes a file and the directories above it.
func (r *Remote) Put(name string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(name, data)
}

func (r *Remote) put(name string, data []byte) {
	if r.files == nil {
		r.files = make(map[string]*node)
	}
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if r.files[dir] == nil {
			r.files[dir] = &node{dir: true, mode: 0o750, time: time.Now()}
		}
	}
	r.files[name] = &node{data: data, mode: 0o640, time: time.Now()}
}

// Get returns a file's content, and whether it is there.
func (r *Remote) Get(name string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.files[name]
	if !ok || n.dir {
		return nil, false
	}
	return n.data, true
}

// Uploads is the number of uploads that are neither committed nor aborted.
func (r *Remote) Uploads() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// Available implements gateway.Destination.
func (r *Remote) Available(context.Context, gateway.Requirements) error { return r.fail(Available, "") }

// Begin implements gateway.Destination.
func (r *Remote) Begin(_ context.Context, t gateway.Target) (gateway.Upload, error) {
	if err := r.fail(Begin, t.String()); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if dir := path.Dir(t.Path); dir != "/" && r.files[path.Join(t.Home, dir)] == nil {
		return nil, fmt.Errorf("begin %s: %w", t, fs.ErrNotExist)
	}
	if n := r.files[t.String()]; n != nil && n.dir {
		return nil, fmt.Errorf("begin %s: %w", t, syscall.EISDIR)
	}
	r.open++
	return &upload{remote: r, target: t}, nil
}

// Open implements gateway.Source.
func (r *Remote) Open(_ context.Context, l gateway.Location, offset int64) (gateway.Download, error) {
	if err := r.fail(Open, l.String()); err != nil {
		return nil, err
	}
	info, err := r.look(l)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("open %s: %w", l, syscall.EISDIR)
	}
	if offset > info.Size() {
		return nil, fmt.Errorf("open %s: %w", l, gateway.ErrBadOffset)
	}
	data, _ := r.Get(l.String())
	return &download{remote: r, name: l.String(), data: data[offset:], info: info}, nil
}

type download struct {
	remote *Remote
	name   string
	data   []byte
	info   fs.FileInfo
}

func (d *download) Info() fs.FileInfo { return d.info }
func (d *download) Close() error      { return nil }

func (d *download) WriteTo(w io.Writer) (n int64, err error) {
	for len(d.data) > 0 {
		if err := d.remote.fail(Read, d.name); err != nil {
			return n, err
		}
		piece := d.data[:min(len(d.data), pieceSize)]
		m, err := w.Write(piece)
		n += int64(m)
		if err != nil {
			return n, err
		}
		d.data = d.data[m:]
	}
	return n, nil
}

// info implements fs.FileInfo.
type info struct {
	name string
	node
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.data)) }
func (i info) ModTime() time.Time { return i.time }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return i.mode | fs.ModeDir
	}
	return i.mode
}

func (r *Remote) look(l gateway.Location) (fs.FileInfo, error) {
	if l.Path == "/" {
		return info{"/", node{dir: true, mode: 0o750}}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.files[l.String()]
	if !ok {
		return nil, fmt.Errorf("stat %s: %w", l, fs.ErrNotExist)
	}
	return info{path.Base(l.Path), *n}, nil
}

// Stat implements gateway.Lister.
func (r *Remote) Stat(_ context.Context, l gateway.Location) (fs.FileInfo, error) {
	if err := r.fail(Look, l.String()); err != nil {
		return nil, err
	}
	return r.look(l)
}

// ReadDir implements gateway.Lister.
func (r *Remote) ReadDir(_ context.Context, l gateway.Location) (infos []fs.FileInfo, err error) {
	if err := r.fail(Look, l.String()); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, n := range r.files {
		if path.Dir(name) == l.String() {
			infos = append(infos, info{path.Base(name), *n})
		}
	}
	return infos, nil
}

// Mkdir implements gateway.Changer.
func (r *Remote) Mkdir(_ context.Context, l gateway.Location) error {
	return r.change(l, func(name string) error {
		if r.files[name] != nil {
			return fmt.Errorf("mkdir %s: %w", name, fs.ErrExist)
		}
		if dir := path.Dir(l.Path); dir != "/" && r.files[path.Join(l.Home, dir)] == nil {
			return fmt.Errorf("mkdir %s: %w", name, fs.ErrNotExist)
		}
		r.put(name+"/x", nil)
		delete(r.files, name+"/x")
		return nil
	})
}

// Remove implements gateway.Changer.
func (r *Remote) Remove(_ context.Context, l gateway.Location) error {
	return r.remove(l, false)
}

// RemoveDir implements gateway.Changer.
func (r *Remote) RemoveDir(_ context.Context, l gateway.Location) error {
	return r.remove(l, true)
}

func (r *Remote) remove(l gateway.Location, dir bool) error {
	return r.change(l, func(name string) error {
		n := r.files[name]
		switch {
		case n == nil:
			return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
		case n.dir && !dir:
			return fmt.Errorf("remove %s: %w", name, syscall.EISDIR)
		case !n.dir && dir:
			return fmt.Errorf("remove %s: %w", name, syscall.ENOTDIR)
		}
		for other := range r.files {
			if strings.HasPrefix(other, name+"/") {
				return fmt.Errorf("remove %s: %w", name, syscall.ENOTEMPTY)
			}
		}
		delete(r.files, name)
		return nil
	})
}

// Rename implements gateway.Changer, for files.
func (r *Remote) Rename(_ context.Context, from, to gateway.Location) error {
	return r.change(from, func(name string) error {
		n := r.files[name]
		if n == nil {
			return fmt.Errorf("rename %s: %w", name, fs.ErrNotExist)
		}
		delete(r.files, name)
		r.files[to.String()] = n
		return nil
	})
}

// Chtimes implements gateway.Modifier.
func (r *Remote) Chtimes(_ context.Context, l gateway.Location, t time.Time) error {
	return r.change(l, func(name string) error {
		if r.files[name] == nil {
			return fmt.Errorf("set the time of %s: %w", name, fs.ErrNotExist)
		}
		r.files[name].time = t
		return nil
	})
}

// Chmod implements gateway.Modifier.
func (r *Remote) Chmod(_ context.Context, l gateway.Location, mode fs.FileMode) error {
	return r.change(l, func(name string) error {
		if r.files[name] == nil {
			return fmt.Errorf("set the mode of %s: %w", name, fs.ErrNotExist)
		}
		r.files[name].mode = mode
		return nil
	})
}

func (r *Remote) change(l gateway.Location, do func(name string) error) error {
	if err := r.fail(Change, l.String()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = make(map[string]*node)
	}
	return do(l.String())
}
