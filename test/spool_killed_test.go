// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// The gateway is killed at each step of a delivery, before the server has done it and after. The next run delivers what was not
// delivered, finds what was, and leaves nothing else behind.
func TestGatewayKilledAtEveryStepOfADelivery(t *testing.T) {
	t.Parallel()
	for _, step := range []sftpfault.Fault{
		{Op: sftpfault.Open, Nth: 1}, {Op: sftpfault.Write, Nth: 1}, {Op: sftpfault.Fsync, Nth: 1}, {Op: sftpfault.PosixRename, Nth: 1},
	} {
		for _, done := range []bool{false, true} {
			fault := step
			fault.Done, fault.Kind = done, sftpfault.Hold
			t.Run(fmt.Sprintf("%s-%v", fault.Op, done), func(t *testing.T) {
				t.Parallel()
				killDeliveryAt(t, fault)
			})
		}
	}
}

func killDeliveryAt(t *testing.T, fault sftpfault.Fault) {
	s, at := startFaultyServer(t)
	g := startGateway(t, setup{server: at, spool: plainSpool, rules: spoolAll("")})
	settleDown(t, s)
	data := pattern3(3*faultPacket + 1)
	armed := s.Arm(fault)
	g.login(0).put("/file", data) // confirmed at once
	<-armed.Struck()
	g.kill()
	s.Disarm()
	final := filepath.Join(g.home(0), "file")
	before, err := os.Stat(final)
	published := err == nil
	if want := fault.Op == sftpfault.PosixRename && fault.Done; published != want {
		t.Errorf("killed: the file is across: %v", published)
	}
	g.startAgain()
	eventually(t, "the spool is empty", func() bool { return len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0 })
	eventually(t, "the temporary is swept", func() bool { return len(filesBelow(t, g.home(0))) == 1 })
	if got, err := os.ReadFile(final); err != nil || !bytes.Equal(got, data) {
		t.Errorf("across are %d bytes, %v", len(got), err)
	}
	if after, err := os.Stat(final); err != nil || published && !os.SameFile(before, after) {
		t.Errorf("it was delivered twice: %v", err)
	}
	delivered := g.recordsOf(audit.SpoolDelivered)
	if len(delivered) != 1 {
		t.Fatalf("%d deliveries on record", len(delivered))
	}
	// A request that the server held back may have been carried out once it was let go: then the file is found, too.
	if published && delivered[0].Receipt.Verified != "readback" {
		t.Errorf("the receipt says %+v", delivered[0].Receipt)
	}
}
