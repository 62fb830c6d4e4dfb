// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"sync"
	"time"
)

// watch calls check after a time, and again as long as check asks for it.
type watch struct {
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// newWatch starts a watch. check says when to look again, and whether to.
func newWatch(after time.Duration, check func() (time.Duration, bool)) *watch {
	w := &watch{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.stopped {
			return
		}
		if again, ok := check(); ok {
			w.timer.Reset(again)
		}
	})
	return w
}

// stop ends the watch. When it returns, check is not running and will not run.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
