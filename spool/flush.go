// SPDX-License-Identifier: Apache-2.0

package spool

import "sync"

// flusher shares the fsync of directories: all who wait for one while another is under way get the next one together. It has no
// goroutine: one of those who wait does the work.
type flusher struct {
	sync func(dirs []string, done []*item) error

	mu      sync.Mutex
	running bool
	next    *batch // collects; nil when nobody waits
}

// batch is what one round puts on stable storage.
type batch struct {
	dirs  []string
	items []*item       // entries that are committed with it, in the order of their IDs
	lead  chan struct{} // a token in it makes who takes it do the work
	done  chan struct{}
	err   error
}

// join adds a directory, and the entry that becomes visible with it if there is one, to the next batch. What is to be flushed must
// have been done before. Everybody who joins must wait.
func (f *flusher) join(it *item, dirs ...string) *batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = &batch{lead: make(chan struct{}, 1), done: make(chan struct{})}
		if !f.running {
			f.running = true
			f.next.lead <- struct{}{}
		}
	}
	b := f.next
	for _, d := range dirs {
		b.add(d)
	}
	if it != nil {
		b.items = append(b.items, it)
	}
	return b
}

func (b *batch) add(dir string) {
	for _, d := range b.dirs {
		if d == dir {
			return
		}
	}
	b.dirs = append(b.dirs, dir)
}

// wait returns when the batch is on stable storage, or an error for all that was in it.
func (f *flusher) wait(b *batch) error {
	select {
	case <-b.done:
		return b.err
	case <-b.lead:
	}
	f.mu.Lock()
	f.next = nil // whoever comes now is too late for this one
	f.mu.Unlock()
	b.err = f.sync(b.dirs, b.items)
	close(b.done)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != nil {
		f.next.lead <- struct{}{}
	} else {
		f.running = false
	}
	return b.err
}
