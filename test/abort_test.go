// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// ABOR at every stage of a transfer: 426 and 226, or 226 alone where none runs any more (RFC 959, 4.1.3). The session goes on, and
// the file from before is what it was.
func TestAbortAtEveryStage(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{zone: `settle = "1h"`})
	f := g.login(0)
	for name, content := range map[string][]byte{"/old": []byte("old"), "/big": content(t, 8<<20, 1)} {
		f.expect(200, "ALLO %d", len(content)) // the size that comes is the proof: nothing to settle
		f.put(name, content)
	}
	stages := []struct {
		name    string
		prepare func(t *testing.T, f *ftp) net.Conn
		running bool
		upload  bool
	}{
		{"no transfer", func(*testing.T, *ftp) net.Conn { return nil }, false, false},
		{"a passive port", func(_ *testing.T, f *ftp) net.Conn { f.epsv(); return nil }, false, false},
		{"STOR before the data connection", func(_ *testing.T, f *ftp) net.Conn { f.epsv(); f.send("STOR /old"); return nil }, true, true},
		{"STOR of nothing yet", func(_ *testing.T, f *ftp) net.Conn { return f.data("STOR /old") }, true, true},
		{"STOR", func(t *testing.T, f *ftp) net.Conn {
			conn := f.data("STOR /old")
			write(t, conn, content(t, 1<<20, 2))
			return conn
		}, true, true},
		{"STOR in the settle time", func(t *testing.T, f *ftp) net.Conn {
			conn := f.data("STOR /old")
			write(t, conn, content(t, 1<<20, 2))
			_ = conn.Close()
			return nil
		}, true, true},
		{"RETR", func(_ *testing.T, f *ftp) net.Conn { return f.data("RETR /big") }, true, false},
	}
	uploads := 0
	for _, s := range stages {
		conn := s.prepare(t, f)
		r := f.cmd("ABOR")
		if s.running {
			f.expectReply(s.name+": the transfer", r, 426)
			r = f.read()
		}
		f.expectReply(s.name+": ABOR", r, 226)
		f.expect(200, "NOOP")
		if conn != nil {
			_ = conn.Close()
		}
		if s.upload {
			uploads++
		}
		if got, err := os.ReadFile(filepath.Join(g.home(0), "old")); err != nil || string(got) != "old" {
			t.Errorf("%s: the file from before is %q, %v", s.name, got, err)
		}
	}
	g.waitNoTemps()
	aborted := 0
	for _, r := range g.recordsOf(audit.TransferAborted) {
		if r.Op == "upload" {
			aborted++
			if r.FailedEvidence != "no-abort" {
				t.Errorf("aborted for %q: %s", r.FailedEvidence, r.Cause)
			}
		}
	}
	if aborted != uploads {
		t.Errorf("%d aborted uploads on record, want %d", aborted, uploads)
	}
}
