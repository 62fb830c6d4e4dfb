// SPDX-License-Identifier: Apache-2.0

package sftpback

import "sync"

// writesUnder is how many bytes of an upload are sent without having been acknowledged. A channel's window is about 2 MiB (it is for the
// server to say, and OpenSSH always says so), which holds back what is more; a little more keeps it full.
const writesUnder = 4 << 20

// writes are the requests of an upload that have been sent, each as a function that waits for its answer. A goroutine calls them in the
// order of sending. What was sent behind one that failed is still waited for.
type writes struct {
	under  chan func() error
	waiter sync.WaitGroup
}

// newWrites is for packets of so many bytes. The first error goes to failed.
func newWrites(size int, failed *firstError) *writes {
	w := &writes{under: make(chan func() error, max(2, writesUnder/size))}
	w.waiter.Go(func() {
		for answer := range w.under {
			if err := answer(); err != nil {
				failed.set(err)
			}
		}
	})
	return w
}

// add takes a request that has been sent, when there is room.
func (w *writes) add(answer func() error) { w.under <- answer }

// full reports whether add would wait.
func (w *writes) full() bool { return len(w.under) == cap(w.under) }

// wait returns when all requests have been answered. Nothing may be added any more.
func (w *writes) wait() {
	if w != nil && w.under != nil {
		close(w.under)
		w.waiter.Wait()
		w.under = nil
	}
}

// firstError keeps the first of several errors.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
