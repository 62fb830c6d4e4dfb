// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// SIGTERM lets a running transfer finish: the device gets its 226, the file is there, and the program exits with 0 (the fixture
// looks at that).
func TestSIGTERMLetsTransfersFinish(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{grace: "60s"})
	f := g.login(0)
	data := content(t, 8<<20, 1)
	conn := f.data("STOR /event.dat")
	write(t, conn, data[:4<<20])
	g.waitTemp(0)
	g.terminate()
	eventually(t, "nobody is let in any more", func() bool { return !accepts(g.addr) })
	write(t, conn, data[4<<20:])
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	<-g.exited
	if digestFile(t, filepath.Join(g.home(0), "event.dat")) != digest(t, pattern(8<<20, 1)) {
		t.Error("the server has another file than was sent")
	}
	if files := filesBelow(t, g.server.Root); len(files) != 1 {
		t.Errorf("on the server: %q", files)
	}
	var order []audit.Event
	for _, r := range g.records() {
		if r.Event == audit.TransferCommitted || r.Event == audit.GatewayStop {
			order = append(order, r.Event)
		}
	}
	if !slices.Equal(order, []audit.Event{audit.TransferCommitted, audit.GatewayStop}) {
		t.Errorf("on record: %q, want the transfer, then the stop", order)
	}
}

// When the grace is over the transfer is broken off: no 226, no file, and still exit 0.
func TestSIGTERMAbortsAfterTheGrace(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{grace: "100ms"})
	f := g.login(0)
	conn := f.data("STOR /event.dat")
	write(t, conn, content(t, 4<<20, 1))
	g.waitTemp(0)
	g.terminate()
	if r, err := f.tryRead(); err == nil && r.code/100 != 4 {
		t.Errorf("the final reply is %v, want 4yz or none", r)
	}
	<-g.exited
	if files := filesBelow(t, g.server.Root); len(files) > 0 {
		t.Errorf("on the server: %q", files)
	}
	if aborted := g.recordsOf(audit.TransferAborted); len(aborted) != 1 || aborted[0].Path != "/event.dat" {
		t.Errorf("aborted on record: %+v", aborted)
	}
}

// A session without a transfer does not hold up the end.
func TestSIGTERMWithIdleSessions(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{grace: "1h"})
	f := g.login(0)
	silent := dial(t, g.addr)
	g.terminate()
	<-g.exited
	for _, c := range []*ftp{f, silent} {
		if r, err := c.tryRead(); err == nil && r.code != 421 {
			t.Errorf("an idle session got %v, want 421 or just the end", r)
		}
	}
}

func accepts(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
