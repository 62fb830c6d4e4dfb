// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// A large file is flushed while it comes, on a channel of its own, and all of it once more before it is published. If that early flush
// fails the upload does, even though the last one succeeds: a server may tell of a lost write only once.
func TestFlushAhead(t *testing.T) {
	data := noise(flushEvery + 5*faultPacket/2)
	for name, c := range map[string]struct {
		fault     *sftpfault.Fault
		published bool
	}{
		"done":          {nil, true},
		"failed":        {&sftpfault.Fault{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Fail}, false},
		"not supported": {&sftpfault.Fault{Op: sftpfault.Fsync, Nth: 1, Kind: sftpfault.Fail, Code: 8}, true},
		"not opened":    {&sftpfault.Fault{Op: sftpfault.Open, Nth: 2, Kind: sftpfault.Fail}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := overLanes(t, nil)
			f.home(t)
			f.far = time.Hour // one lane is enough
			s.Trace()
			if c.fault != nil {
				s.Arm(*c.fault)
			}
			u := f.begin(t, "/x").(*upload)
			rest := flushInMidWrite(t, u, data)
			if _, err := u.Write(rest); err != nil {
				t.Fatal(err)
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
			f.pool.mu.Lock()
			defer f.pool.mu.Unlock()
			for _, ch := range f.pool.links[0].working() {
				if ch.busy != 0 {
					t.Errorf("a channel is still taken")
				}
			}
		})
	}
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
