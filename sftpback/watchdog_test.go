// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// When a channel is given up, and because of which request: to the moment, whatever request set the timer.
func TestWatchdog(t *testing.T) {
	const timeout = 30 * time.Second
	for _, c := range []struct {
		name  string
		work  func(*watchdog)
		after time.Duration // from the beginning; 0 for never
		about string
	}{
		{"nothing is asked", func(*watchdog) {}, 0, ""},
		{"an answer in time", func(w *watchdog) {
			id := w.begin("stat", "/a")
			time.Sleep(timeout - time.Second)
			w.end(id)
		}, 0, ""},
		{"no answer", func(w *watchdog) { w.begin("stat", "/a") }, timeout, "stat /a"},
		{"no answer to the second, behind one that was answered", func(w *watchdog) {
			id := w.begin("stat", "/a")
			time.Sleep(10 * time.Second)
			w.begin("read", "/b")
			w.end(id)
		}, 10*time.Second + timeout, "read /b"},
		{"no answer to the first, while another one is answered", func(w *watchdog) {
			w.begin("stat", "/a")
			time.Sleep(10 * time.Second)
			id := w.begin("read", "/b")
			w.hear()
			w.end(id)
		}, 10*time.Second + timeout, "stat /a"},
		{"no answer to the first, nor to the second", func(w *watchdog) {
			w.begin("stat", "/a")
			time.Sleep(10 * time.Second)
			w.begin("read", "/b")
		}, timeout, "stat /a"},
		{"no answer to one that comes long after all others", func(w *watchdog) {
			w.end(w.begin("stat", "/a"))
			time.Sleep(10 * timeout)
			w.begin("read", "/b")
		}, 11 * timeout, "read /b"},
		{"no answer to one that may take long", func(w *watchdog) {
			w.expectSilence()
			w.begin("fsync", "/a")
		}, slowFactor * timeout, "fsync /a"},
		{"no answer behind one that may have taken long", func(w *watchdog) {
			over := w.expectSilence()
			w.end(w.begin("fsync", "/a"))
			over()
			w.begin("stat", "/b")
		}, timeout, "stat /b"},
		{"no answer behind one that has taken long", func(w *watchdog) {
			over := w.expectSilence()
			id := w.begin("fsync", "/a")
			time.Sleep(timeout + time.Second)
			w.hear()
			w.end(id)
			over()
			w.begin("stat", "/b")
		}, 2*timeout + time.Second, "stat /b"},
		{"no answer to one that may take long, while another such one is answered", func(w *watchdog) {
			w.expectSilence()
			w.begin("fsync", "/a")
			over := w.expectSilence()
			id := w.begin("fsync", "/b")
			time.Sleep(time.Second)
			w.hear()
			w.end(id)
			over()
		}, slowFactor * timeout, "fsync /a"},
		{"no answer for ever, while others are answered", func(w *watchdog) {
			w.begin("stat", "/a")
			for range 15 * lastFactor {
				time.Sleep(timeout / 10)
				w.end(w.begin("read", "/b"))
				w.hear()
			}
		}, lastFactor * timeout, "stat /a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var after time.Duration
				var cause error
				w := newWatchdog(timeout, func(err error) {
					if cause == nil {
						after, cause = time.Since(begun), err
					}
				})
				c.work(w)
				time.Sleep(20 * timeout)
				synctest.Wait()
				if after != c.after || cause != nil && !strings.Contains(cause.Error(), c.about+" ") {
					t.Errorf("given up after %v, want %v: %v", after, c.after, cause)
				}
				if w.set || c.after == 0 && len(w.waiting) > 0 {
					t.Errorf("at the end the timer is set: %v, and %d requests are waiting", w.set, len(w.waiting))
				}
			})
		})
	}
}

// A server that takes no more does not hold up what is to be sent together for longer than it may be silent, even though the window of the
// channel is used up by others.
func TestWindowIsUsedUp(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, func(cfg *Config) { cfg.RequestTimeout = 300 * time.Millisecond })
	f.home(t)
	u := f.begin(t, "/x").(*upload)
	held := s.Arm(sftpfault.Fault{Op: sftpfault.Write, Nth: 1, Kind: sftpfault.Hold})
	written := make(chan error)
	go func() { written <- second(u.Write(noise(8 << 20))) }()
	<-held.Struck()
	if _, err := u.ch.look(t.Context(), "/in", []string{"dev"}, func() {}); !isTransient(err) {
		t.Errorf("look: %v", err)
	}
	if err := <-written; err == nil {
		t.Error("all was written")
	}
	s.Disarm()
	u.Abort(nil)
	eventually(t, "the hidden file to be removed", func() bool { return len(f.files(t)) == 0 })
}
