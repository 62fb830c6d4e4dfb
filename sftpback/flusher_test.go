// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// A large file is flushed while it comes, on a channel of its own, and all of it once more before it is published. If that early flush
// fails the upload does, even though the last one succeeds: a server may tell of a lost write only once.
func TestFlushAhead(t *testing.T) {
	data := noise(flushEvery + 5*faultPacket/2)
	for name, c := range map[string]struct {
		faults    []sftpfault.Fault
		published bool
		channels  int // that the upload has when it is known what has come of the flush
	}{
		"done":          {nil, true, 2},
		"failed":        {[]sftpfault.Fault{{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Fail}}, false, 1},
		"not supported": {[]sftpfault.Fault{{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Fail, Code: 8}}, true, 1},
		"not opened":    {[]sftpfault.Fault{{Op: sftpfault.Open, Nth: 2, Kind: sftpfault.Fail}}, true, 1},
		"failed, and the last one not supported": {[]sftpfault.Fault{
			{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Fail}, {Op: sftpfault.Fsync, Nth: 2, Kind: sftpfault.Fail, Code: 8},
		}, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := overLanes(t, nil)
			f.home(t)
			f.far = time.Hour // one lane is enough
			s.Trace()
			for _, fault := range c.faults {
				s.Arm(fault)
			}
			u := f.begin(t, "/x").(*upload)
			rest := flushInMidWrite(t, u, data)
			if _, err := u.Write(rest); err != nil {
				t.Fatal(err)
			}
			if n := f.busy(); n != c.channels {
				t.Errorf("the upload has %d channels, want %d", n, c.channels)
			}
			receipt, err := u.Commit(t.Context(), gateway.Terms{})
			if c.published != (err == nil) {
				t.Fatalf("published: %v, want %v", err, c.published)
			}
			if !c.published {
				f.wantFiles(t)
			} else if got, err := os.ReadFile(f.local("/x")); err != nil || !bytes.Equal(got, data) || !receipt.Fsynced {
				t.Errorf("%d bytes, %v, %+v", len(got), err, receipt)
			}
			if c.published {
				flushedBeforePublished(t, s.Trace())
			}
			if n := f.busy(); n != 0 {
				t.Errorf("%d channels are still taken", n)
			}
		})
	}
}

// busy is how many uses there are of all channels together.
func (f *far) busy() (n int) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for _, l := range f.pool.links {
		for _, ch := range l.working() {
			n += ch.busy
		}
	}
	return n
}

// flushInMidWrite writes so much that a flush is due, waits until what comes of that is known, and returns what was not written.
func flushInMidWrite(t *testing.T, u *upload, data []byte) (rest []byte) {
	t.Helper()
	first := flushEvery + faultPacket
	if _, err := u.Write(data[:first]); err != nil {
		t.Fatal(err)
	}
	if u.flusher == nil {
		t.Fatal("nothing flushes ahead")
	}
	eventually(t, "the flush", func() bool {
		u.flusher.follow(u.size)
		return u.flusher.given || u.flusher.asked > 0 && (u.flusher.under == nil || done(u.flusher.under))
	})
	if asked := u.flusher.asked; asked > 0 && asked >= int64(len(data)) {
		t.Errorf("asked for at %d bytes of %d", asked, len(data))
	}
	return data[first:]
}

// A file that is written on several channels is not published if what was written on one of them could not be flushed, whatever the others
// say: here, that they cannot flush at all.
func TestOneFlushFails(t *testing.T) {
	for name, codes := range map[string][]uint32{"the first": {4, 8}, "the second": {8, 4}} {
		t.Run(name, func(t *testing.T) {
			f, s := overLanes(t, nil)
			f.home(t)
			u := f.begin(t, "/x").(*upload)
			if _, err := u.Write(noise(laneAfter + 2*faultPacket)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "another channel to have it open", func() bool {
				u.widen()
				return len(u.lanes) > 1 && u.isOpen(u.lanes[1])
			})
			for i, code := range codes {
				s.Arm(sftpfault.Fault{Op: sftpfault.Fsync, Nth: i + 1, Kind: sftpfault.Fail, Code: code})
			}
			if r, err := u.Commit(t.Context(), gateway.Terms{}); err == nil {
				t.Errorf("published: %+v", r)
			}
			f.wantFiles(t)
		})
	}
}

// The server may be silent for long while it flushes, for whoever else uses the channel, too, and when the upload has ended meanwhile.
func TestFlushAheadTakesLong(t *testing.T) {
	for name, aborted := range map[string]bool{"the upload goes on": false, "the upload is aborted": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f, s := overScriptedDistance(t, dir)
				f.far = time.Hour // one lane is enough
				held := s.Arm(sftpfault.Fault{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Hold})
				u := f.begin(t, "/x").(*upload)
				for u.flusher == nil { // until there is a channel for it
					if _, err := u.Write(noise(flushEvery + maxPacket)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				for u.flusher.asked == 0 {
					time.Sleep(roundTrip)
					u.flusher.follow(u.size)
				}
				<-held.Struck()
				ch := u.flusher.ch
				if aborted {
					u.Abort(errors.New("aborted"))
				}
				looked := make(chan error)
				go func() { looked <- second(ch.lstat(t.Context(), "/in")) }()
				time.Sleep((slowFactor - 1) * f.cfg.RequestTimeout)
				held.Release()
				if err := <-looked; err != nil {
					t.Errorf("lstat on the same channel: %v", err)
				}
				if !aborted {
					if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
						t.Errorf("Commit: %v", err)
					}
				}
				time.Sleep(time.Second)
				if n := f.busy(); n != 0 {
					t.Errorf("%d channels are still taken", n)
				}
			})
		})
	}
}

// What was flushed ahead on a connection that is lost then was flushed; whether it was, if the answer is lost with the connection, is not
// known, and nothing is published.
func TestFlushAheadLosesItsConnection(t *testing.T) {
	for name, answered := range map[string]bool{"behind the answer": true, "before the answer": false} {
		t.Run(name, func(t *testing.T) {
			f, s := overFaulty(t, sftpfault.Options{Ordered: true}, func(cfg *Config) { cfg.Connections = 2 })
			f.home(t)
			f.far = time.Hour // one lane is enough
			u := f.begin(t, "/x").(*upload)
			var other *channel
			eventually(t, "the other connection", func() bool {
				f.pool.mu.Lock()
				defer f.pool.mu.Unlock()
				for _, l := range f.pool.links {
					if l != u.ch.link && len(l.working()) > 0 {
						other = l.working()[0]
						other.busy++
						return true
					}
				}
				return false
			})
			u.flusher = &flusher{lane: lane{ch: other}, name: u.temp}
			u.flusher.open()
			eventually(t, "the file to be open", u.flusher.isOpen)
			var held *sftpfault.Armed
			if !answered {
				held = s.Arm(sftpfault.Fault{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Hold})
			}
			if _, err := u.Write(noise(flushEvery)); err != nil { // the last packet has it flushed
				t.Fatal(err)
			}
			if answered {
				eventually(t, "the flush", func() bool { return u.flusher.under != nil && done(u.flusher.under) })
			} else {
				<-held.Struck()
			}
			other.link.fail(errors.New("lost"))
			s.Disarm()
			if _, err := u.Commit(t.Context(), gateway.Terms{}); answered != (err == nil) || err != nil && !gateway.IsTemporary(err) {
				t.Errorf("Commit: %v", err)
			}
			eventually(t, "no hidden file to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
		})
	}
}

// A server that cannot flush may tell with the closing of a file that it could not store all of it, and each channel is told of what was
// written on it.
func TestOneCloseFails(t *testing.T) {
	for name, nth := range map[string]int{"the second": 1, "the first": 2} {
		t.Run(name, func(t *testing.T) {
			f, s := overLanes(t, nil)
			f.home(t)
			u := f.begin(t, "/x").(*upload)
			u.far = false // for now
			if _, err := u.Write(noise(laneAfter + faultPacket)); err != nil {
				t.Fatal(err)
			}
			u.far = true
			eventually(t, "another channel to have it open", func() bool {
				if len(u.lanes) == 1 {
					u.widen()
				}
				return len(u.lanes) == 2 && u.isOpen(u.lanes[1])
			})
			u.far = false
			if _, err := u.Write(noise(4 * faultPacket)); err != nil {
				t.Fatal(err)
			}
			for i := range u.lanes {
				s.Arm(sftpfault.Fault{Op: sftpfault.Fsync, Nth: i + 1, Kind: sftpfault.Fail, Code: 8})
			}
			closing := s.Arm(sftpfault.Fault{Op: sftpfault.Close, Nth: nth, Kind: sftpfault.Fail})
			if r, err := u.Commit(t.Context(), gateway.Terms{}); err == nil {
				t.Errorf("published: %+v", r)
			}
			<-closing.Struck()
			f.wantFiles(t)
		})
	}
}
