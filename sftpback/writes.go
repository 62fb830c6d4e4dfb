// SPDX-License-Identifier: Apache-2.0

package sftpback

import "sync"

// writesUnder is how many bytes of an upload are sent without having been acknowledged. A channel's window is about 2 MiB (it is for the
// server to say, and OpenSSH always says so), which holds back what is more; a little more keeps it full.
const writesUnder = 4 << 20

// writes are the requests of an upload that have been sent, each as a function that waits for its answer. A goroutine calls them in the
// order of sending. The first error ends the upload; what was sent behind it is still waited for.
type writes struct {
	under  chan func() error
	waiter sync.WaitGroup

	mu  sync.Mutex
	err error
}

// newWrites is for packets of so many bytes.
func newWrites(size int) *writes {
	w := &writes{under: make(chan func() error, max(2, writesUnder/size))}
	w.waiter.Go(func() {
		for answer := range w.under {
			if err := answer(); err != nil {
				w.fail(err)
			}
		}
	})
	return w
}

// add takes a request that has been sent, when there is room.
func (w *writes) add(answer func() error) { w.under <- answer }

func (w *writes) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *writes) failure() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// wait returns when all requests have been answered, with the first error. Nothing may be added any more.
func (w *writes) wait() error {
	if w == nil {
		return nil
	}
	if w.under != nil {
		close(w.under)
		w.waiter.Wait()
		w.under = nil
	}
	return w.failure()
}
