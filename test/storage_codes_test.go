// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// What a server says while it stores a file, at the first, a middle and the last write, at the flush, the close and the rename: the
// device gets the code that tells it whether trying again can help, the old file stays, and the session goes on.
func TestStorageCodes(t *testing.T) {
	t.Parallel()
	codes := map[uint32]int{ // draft-ietf-secsh-filexfer-02 section 7; from 12 on draft-ietf-secsh-filexfer-13 section 9.1
		3:  550, // permission denied
		4:  451, // failure, which on OpenSSH is a quota
		12: 451, // write-protected
		14: 452, // no space
		15: 452, // quota exceeded
	}
	steps := []sftpfault.Fault{
		{Op: sftpfault.Open, Nth: 1}, {Op: sftpfault.Write, Nth: 1}, {Op: sftpfault.Write, Nth: 2}, {Op: sftpfault.Write, Nth: 4},
		{Op: sftpfault.Fsync, Nth: 1}, {Op: sftpfault.Close, Nth: 1}, {Op: sftpfault.PosixRename, Nth: 1},
	}
	s, at := startFaultyServer(t)
	g := startGateway(t, setup{server: at})
	settleDown(t, s)
	f := g.login(0)
	f.put("/file", []byte("old"))
	data := pattern3(3*faultPacket + 1)
	for status, code := range codes {
		for _, fault := range steps {
			fault.Kind, fault.Code = sftpfault.Fail, status
			s.Arm(fault)
			if r := f.store("/file", bytes.NewReader(data)); r.code != code {
				t.Errorf("status %d at %s %d: %v, want %d", status, fault.Op, fault.Nth, r, code)
			}
			s.Disarm()
		}
	}
	wantOnly(t, g, "file", "old")
	f.put("/file", data)
	wantOnly(t, g, "file", string(data))
	if aborted := g.recordsOf(audit.TransferAborted); len(aborted) != len(codes)*len(steps) {
		t.Errorf("%d aborted transfers on record, want %d", len(aborted), len(codes)*len(steps))
	}
}
