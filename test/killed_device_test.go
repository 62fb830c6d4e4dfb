// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// holder is a process that does nothing but hold connections. What the kernel does with them when it is killed is what it does for
// every program.
type holder struct {
	t   testing.TB
	cmd *exec.Cmd
}

// handOver gives connections to a process of their own; they are closed in this order when it is killed.
func handOver(t testing.TB, conns ...net.Conn) *holder {
	t.Helper()
	h := &holder{t: t, cmd: exec.Command("sleep", "3600")}
	for _, c := range conns {
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		h.cmd.ExtraFiles = append(h.cmd.ExtraFiles, f)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	for i, f := range h.cmd.ExtraFiles {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := conns[i].Close(); err != nil {
			t.Error(err)
		}
	}
	return h
}

// kill kills the process and returns when it is gone, and its connections with it.
func (h *holder) kill() {
	if h.cmd.ProcessState != nil {
		return
	}
	if err := h.cmd.Process.Kill(); err != nil {
		h.t.Errorf("kill: %v", err)
	}
	_ = h.cmd.Wait() // it was killed
}

// death is one way in which a device dies in the middle of an upload.
type death struct {
	controlFirst bool
	gap          time.Duration // between the ends of the connections; 0: one process holds both
	sent         int64         // bytes of the file
	unread       bool          // the device has not read a reply, so that its control connection ends with RST instead of FIN
}

func deathNumber(i int, longest time.Duration) death {
	sizes := []int64{1, 4 << 10, 100_000, 1 << 20}
	return death{
		controlFirst: i%2 == 1, gap: longest * time.Duration(i%16) / 15, sent: sizes[i/2%4], unread: i/8%4 == 0,
	}
}

func (d death) String() string {
	first := "data"
	if d.controlFirst {
		first = "control"
	}
	return fmt.Sprintf("%s first, %s apart, %d bytes, unread reply %t", first, d.gap, d.sent, d.unread)
}

// die uploads to path up to the death, and returns how far apart the ends of the connections were at most.
func (d death) die(t testing.TB, g *gw, path string) time.Duration {
	t.Helper()
	f := g.login(0)
	conn := f.data("STOR %s", path)
	write(t, conn, content(t, d.sent, 1))
	if d.unread {
		f.send("STAT")
		if _, err := f.in.Peek(1); err != nil { // the reply is there; a second one stays in the kernel's buffer
			t.Fatal(err)
		}
		f.send("STAT")
		waitUnread(t, f.conn)
	}
	conns := []net.Conn{conn, f.conn}
	if d.controlFirst {
		slices.Reverse(conns)
	}
	if d.gap == 0 {
		both := handOver(t, conns...)
		begin := time.Now()
		both.kill()
		return time.Since(begin)
	}
	first, second := handOver(t, conns[0]), handOver(t, conns[1])
	begin := time.Now()
	first.kill()
	time.Sleep(d.gap) // the fault itself
	second.kill()
	return time.Since(begin)
}

// A device is killed in the middle of an upload. Its kernel closes both connections in an orderly way, one after the other. Nothing
// of it may appear under the final name. Where the machine was so busy that the connections ended further apart than the settle
// time the upload is not judged, and another one takes its place.
func testKilledDevices(t *testing.T, settle, longest time.Duration, zone string, count int) {
	g := startGateway(t, setup{zone: zone})
	g.login(0).put("/x", nil) // makes the home
	old := content(t, 1000, 9)
	var judged, late []string
	var deaths []death // of the judged
	for i := 0; len(judged) < count && i < 20*count; i++ {
		name := fmt.Sprintf("killed-%d.dat", i)
		if i%5 == 0 {
			name = fmt.Sprintf("old-%d.dat", i) // an overwrite
			writeFile(t, filepath.Join(g.home(0), name), bytes.NewReader(old))
		}
		d := deathNumber(i, longest)
		apart := d.die(t, g, "/"+name)
		if !d.controlFirst && apart >= settle {
			late = append(late, name)
			continue
		}
		judged = append(judged, name)
		deaths = append(deaths, d)
	}
	g.waitNoTemps()
	aborted := g.recordsOf(audit.TransferAborted) // stops the gateway: whatever was under way has come to its end
	for i, name := range judged {
		g.untouched(deaths[i], name, old)
	}
	t.Logf("%d uploads killed within the settle time, none published; %d more were too far apart to be judged", len(judged), len(late))
	if len(judged) < count {
		t.Errorf("only %d uploads could be judged, want %d", len(judged), count)
	}
	if len(aborted) < len(judged) {
		t.Errorf("%d aborted uploads on record, want at least %d", len(aborted), len(judged))
	}
	for _, r := range aborted {
		if r.FailedEvidence == "" {
			t.Errorf("aborted without a failed evidence: %+v %+v", r, r.TransferFields)
		}
	}
}

// untouched reports a truncated file under a final name.
func (g *gw) untouched(d death, name string, old []byte) {
	g.t.Helper()
	got, err := os.ReadFile(filepath.Join(g.home(0), name))
	switch {
	case strings.HasPrefix(name, "old-") && string(got) != string(old):
		g.t.Errorf("%s: the file from before has become one of %d bytes (%v)", d, len(got), err)
	case strings.HasPrefix(name, "killed-") && !os.IsNotExist(err):
		g.t.Errorf("%s: %s is there, with %d bytes (%v)", d, name, len(got), err)
	}
}

// waitNoTemps waits until no upload is under way on the server.
func (g *gw) waitNoTemps() {
	g.t.Helper()
	eventually(g.t, "the temporary files are gone", func() bool {
		return !slices.ContainsFunc(filesBelow(g.t, g.server.Root), func(name string) bool { return strings.Contains(name, ".ftpgw-") })
	})
}

func TestKilledDevice(t *testing.T) {
	t.Parallel()
	need(t, "sleep")
	testKilledDevices(t, 20*time.Millisecond, 15*time.Millisecond, "", often(200, 1000))
}

// A longer settle time holds what closes its connections further apart.
func TestKilledDeviceWithALongerSettleTime(t *testing.T) {
	t.Parallel()
	need(t, "sleep")
	testKilledDevices(t, 2*time.Second, 200*time.Millisecond, `settle = "2s"`, often(16, 100))
}
