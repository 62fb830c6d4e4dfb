// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// A conduit that is down is the gateway's trouble, not the device's: it logs in as ever, is told 4yz for what needs the conduit,
// and goes on in the same session when the conduit is back.
func TestConduitDownAndBack(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	before := g.login(0)
	before.put("/before", []byte("before"))
	g.server.Kill()
	f := g.login(0) // 230 without a conduit
	for _, s := range []*ftp{before, f} {
		for _, verb := range []string{"STOR", "RETR", "MLSD"} {
			conn, r := s.tryData("%s /before", verb)
			if conn != nil { // the loss showed only when the data were to flow
				_ = conn.Close()
				r = s.read()
			}
			if r.code/100 != 4 {
				t.Errorf("%s without a conduit: %v, want 4yz", verb, r)
			}
		}
		s.expect(4, "SIZE /before")
		s.expect(4, "DELE /before")
		s.expect(200, "NOOP")
	}
	g.server.Restart()
	for i, s := range []*ftp{before, f} {
		name := []string{"/one", "/two"}[i]
		eventually(t, "a STOR works again", func() bool { return s.store(name, bytes.NewReader([]byte(name))).code == 226 })
		if got, err := os.ReadFile(filepath.Join(g.home(0), name)); err != nil || string(got) != name {
			t.Errorf("%s on the server: %q, %v", name, got, err)
		}
	}
	if got := string(f.get("RETR /before")); got != "before" {
		t.Errorf("the file from before is %q now", got)
	}
	ups := 0
	for _, r := range g.records() {
		if r.Event == audit.ConduitUp {
			ups++
		}
	}
	if ups < 2 {
		t.Errorf("conduit.up is on record %d times, want 2", ups)
	}
}

// The conduit breaks in the middle of an upload: 4yz, and when it is back there is nothing of the file.
func TestConduitLostInMidUpload(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	conn := f.data("STOR /event.dat")
	write(t, conn, content(t, 4<<20, 1))
	g.waitTemp(0)
	g.server.Kill()
	_, _ = conn.Write(content(t, 4<<20, 2)) // may be reset at any moment
	_ = conn.Close()
	if r := f.read(); r.code/100 != 4 {
		t.Errorf("the final reply is %v, want 4yz", r)
	}
	g.server.Restart()
	eventually(t, "the temporary file is swept", func() bool { return len(filesBelow(t, g.server.Root)) == 0 })
	if aborted := g.recordsOf(audit.TransferAborted); len(aborted) != 1 || aborted[0].Cause == "" {
		t.Errorf("aborted on record: %+v", aborted)
	}
}

// A server that answers nothing any more is found out, too. The device is not left waiting for ever.
func TestConduitThatHangs(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{conduit: `request_timeout = "2s"`})
	f := g.login(0)
	f.put("/first", []byte("first"))
	g.server.Pause()
	if r := f.store("/second", bytes.NewReader([]byte("second"))); r.code/100 != 4 {
		t.Errorf("STOR to a server that hangs: %v, want 4yz", r)
	}
	g.server.Resume()
	eventually(t, "a STOR works again", func() bool { return f.store("/third", bytes.NewReader([]byte("third"))).code == 226 })
}

// The gateway starts without a conduit, and devices can log in.
func TestConduitDownAtStart(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s})
	f := g.login(0)
	f.expect(4, "SIZE /x")
	s.Restart()
	eventually(t, "a STOR works", func() bool { return f.store("/x", bytes.NewReader([]byte("x"))).code == 226 })
}

// Where the zone says so, a device does not log in while its conduit is down: 421, which no device takes for a wrong password.
func TestConduitDownAtLogin(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, zone: `conduit_down = "refuse"`})
	f := dial(t, g.addr)
	f.expect(331, "USER %s", g.devices[0].name)
	f.expect(421, "PASS %s", g.devices[0].password)
	if _, err := f.tryRead(); err == nil {
		t.Error("the session goes on")
	}
	f = dial(t, g.addr)
	f.expect(331, "USER %s", g.devices[0].name)
	f.expect(530, "PASS wrong-%s", g.devices[0].password) // nobody learns about the conduit without a password
	s.Restart()
	eventually(t, "a device logs in", func() bool {
		f := dial(t, g.addr)
		f.expect(331, "USER %s", g.devices[0].name)
		return f.cmd("PASS %s", g.devices[0].password).code == 230
	})
}
