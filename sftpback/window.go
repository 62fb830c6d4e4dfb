// SPDX-License-Identifier: Apache-2.0

package sftpback

import "sync"

// windowBytes is how much of one transfer is under way at once. An SSH channel carries about 2 MiB per round trip, whatever is offered.
const windowBytes = 2 << 20

// window runs the requests of one transfer, a bounded number at a time. After the first error nothing more is started.
type window struct {
	slots chan struct{}
	wg    sync.WaitGroup

	mu  sync.Mutex
	err error
}

// newWindow is a window for requests of so many bytes.
func newWindow(size int) *window {
	return &window{slots: make(chan struct{}, max(2, windowBytes/size))}
}

// start runs f when there is room. When a request before it has failed it returns that error instead.
func (w *window) start(f func() error) error {
	w.slots <- struct{}{}
	if err := w.failure(); err != nil {
		<-w.slots
		return err
	}
	w.wg.Go(func() {
		defer func() { <-w.slots }()
		if err := f(); err != nil {
			w.fail(err)
		}
	})
	return nil
}

func (w *window) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *window) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// wait returns when all requests have ended, with the first error.
func (w *window) wait() error {
	w.wg.Wait()
	return w.failure()
}
