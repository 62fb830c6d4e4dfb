// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// limited is a rule over everything with that limit block in it.
func limited(limit string) string {
	return strings.Replace(allowAll, "paths   = [\"/**\"]\n", "paths   = [\"/**\"]\n  limit {\n"+limit+"\n  }\n", 1)
}

// denials are the refusals because of limits that are on record, as "limit of used/allowed".
func (g *gw) denials() (list []string) {
	g.t.Helper()
	for _, r := range g.recordsOf(audit.DecisionDenied) {
		if r.Rule != "all" || r.Reason != "the test is about something else" || r.Cause == "" {
			g.t.Errorf("record %+v %+v", r, r.TransferFields)
		}
		list = append(list, fmt.Sprintf("%s of %s %s/%s", r.Detail["limit"], r.Detail["of"], r.Detail["used"], r.Detail["allowed"]))
	}
	return list
}

func (g *gw) wantDenials(want ...string) {
	g.t.Helper()
	got := g.denials()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		g.t.Errorf("on record:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Files in an hour: the one too many is refused before a data connection opens, for now, and is refused as well after the gateway was
// killed. Another device has an hour of its own.
func TestFilesPerHour(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: limited("files_per_hour = 3"), devices: []device{newDevice("relay"), newDevice("meter")}})
	f := g.login(0)
	f.put("/a", []byte("a"))
	if r := f.store("/a/b", strings.NewReader("no such directory")); r.code/100 != 5 {
		t.Errorf("a failed upload: %v", r)
	}
	f.put("/b", []byte("b"))
	if got := f.get("RETR /a"); string(got) != "a" {
		t.Errorf("%q", got)
	}
	refused := func(f *ftp) {
		t.Helper()
		for command, code := range map[string]int{"STOR /c": 452, "APPE /b": 452, "RETR /a": 450} {
			f.epsv()
			f.expect(code, "%s", command)
		}
		f.expect(200, "NOOP")
	}
	refused(f)
	g.login(1).put("/a", []byte("a"))
	g.kill()
	g.startAgain()
	refused(g.login(0))
	m := g.login(1)
	m.put("/b", []byte("b"))
	m.put("/c", []byte("c"))
	m.epsv()
	m.expect(452, "STOR /d")
	relay, meter := `files_per_hour of rule "all" for device "relay" 3/3`, `files_per_hour of rule "all" for device "meter" 3/3`
	if text, want := g.succeed("status"), "files_per_hour 3 of 3, rule \"all\" for device \"relay\""; !strings.Contains(text, want) || !strings.Contains(text, "2 used up") {
		t.Errorf("%q is not in\n%s", want, text)
	}
	explained := g.explainText("relay", "upload", "/c")
	if want := "files_per_hour of rule \"all\" for device \"relay\": 3 of 3 used, so that it is refused; free again in "; !strings.Contains(explained, want) {
		t.Errorf("%q is not in\n%s", want, explained)
	}
	g.wantDenials(relay, relay, relay, relay, relay, relay, meter)
}

// explainText is what the program says about a case, beside the gateway that runs.
func (g *gw) explainText(device, op, path string) string {
	g.t.Helper()
	out, err := exec.Command(binary(g.t), "explain", "--config", filepath.Join(g.dir, "ftpgw.hcl"), "--device", device, "--from", "127.0.0.1", "--op", op, "--path", path).CombinedOutput()
	if err != nil {
		g.t.Fatalf("explain: %v\n%s", err, out)
	}
	return string(out)
}

// Bytes in a day: refused where they are announced, and otherwise at the byte too many. What could never pass is refused for good. What
// was broken off is free again, what a kill has interrupted, too; what was confirmed is not.
func TestBytesPerDay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: limited("bytes_per_day = \"100kB\"")})
	f := g.login(0)
	f.put("/a", bytes.Repeat([]byte("a"), 60_000))
	f.expectReply("more than what is left", f.store("/b", bytes.NewReader(make([]byte, 40_001))), 452)
	f.expectReply("more than a day's", f.store("/b", bytes.NewReader(make([]byte, 100_001))), 552)
	f.epsv()
	f.expect(200, "ALLO 40001")
	f.expect(452, "STOR /b")
	f.epsv()
	f.expect(200, "ALLO 100001")
	f.expect(552, "STOR /b")
	f.epsv()
	f.expect(450, "RETR /a")
	if files := filesBelow(t, g.server.Root); len(files) != 1 {
		t.Errorf("on the server: %q", files)
	}
	conn := f.data("STOR /b") // and the gateway is killed with it
	write(t, conn, make([]byte, 30_000))
	g.waitTemp(0)
	g.kill()
	g.startAgain()
	f = g.login(0)
	f.expectReply("more than what is left after the kill", f.store("/b", bytes.NewReader(make([]byte, 40_001))), 452)
	f.put("/b", make([]byte, 40_000))
	f.epsv()
	f.expect(452, "STOR /c")
	of := `bytes_per_day of rule "all" for device "relay" `
	g.wantDenials(of+"60000/100000", of+"100001/100000", of+"60000/100000", of+"100001/100000", of+"60000/100000", of+"60000/100000", of+"100000/100000")
}

// One file: larger ones are refused for good, in both directions, and APPE does not lead around it.
func TestMaxFile(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{devices: []device{{name: "relay", password: "pw-relay-Zx9q", more: `limit { max_file = "10kB" }`}}})
	f := g.login(0)
	f.put("/a", make([]byte, 10_000))
	f.expectReply("a byte more", f.store("/b", bytes.NewReader(make([]byte, 10_001))), 552)
	f.epsv()
	f.expect(200, "ALLO 10001")
	f.expect(552, "STOR /b")
	conn := f.data("APPE /a")
	write(t, conn, []byte("x"))
	_ = conn.Close()
	f.expectReply("a byte behind the others", f.read(), 552)
	if err := os.WriteFile(filepath.Join(g.home(0), "large"), make([]byte, 10_001), 0o600); err != nil {
		t.Fatal(err)
	}
	f.epsv()
	f.expect(550, "RETR /large")
	if n := len(f.get("RETR /a")); n != 10_000 {
		t.Errorf("%d bytes", n)
	}
	of := `max_file of device "relay" 10001/10000`
	g.wantDenials(of, of, of, of)
}

// Transfers at a time: one more is refused for now, over all devices where the rule shares its limit, and each slot comes back however its
// transfer ends.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: limited("concurrent = 1\nshared = true"), devices: []device{newDevice("relay"), newDevice("meter")}})
	f, m := g.login(0), g.login(1)
	endings := map[string]func(conn *net.TCPConn){
		"the end": func(conn *net.TCPConn) { _ = conn.Close(); f.expectReply("STOR", f.read(), 226) },
		"ABOR": func(*net.TCPConn) {
			f.expectReply("STOR", f.cmd("ABOR"), 426)
			f.expectReply("ABOR", f.read(), 226)
		},
		"a reset": func(conn *net.TCPConn) { reset(t, conn); f.expectReply("STOR", f.read(), 426) },
	}
	count := 0
	for name, end := range endings {
		conn := f.data("STOR /a")
		write(t, conn, []byte("some"))
		m.epsv()
		m.expectReply(name+": another at a time", m.cmd("STOR /a"), 450)
		end(conn)
		m.put("/a", []byte("a"))
		count++
	}
	f.epsv()
	f.send("STOR /b") // the data connection of which never comes
	eventually(t, "the slot is taken", func() bool { m.epsv(); count++; return m.cmd("MLST /a").code == 250 && m.cmd("STOR /a").code == 450 })
	f.expectReply("STOR", f.cmd("ABOR"), 426)
	f.expectReply("ABOR", f.read(), 226)
	m.put("/a", []byte("a"))
	for i, r := range g.denials() {
		if r != `concurrent of rule "all" 1/1` {
			t.Errorf("refusal %d is %s", i, r)
		}
	}
}

// Bandwidth slows a transfer and refuses nothing: neither side takes the pauses for a stall, and ABOR and SIGTERM end it at once.
func TestBandwidth(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: limited("bandwidth = \"1kB/s\""), grace: "1s",
		zone: "stall_timeout = \"1s\"", conduit: "keepalive = \"1s\"\nrequest_timeout = \"2s\""})
	f := g.login(0)
	f.put("/a", make([]byte, 3_000))
	if n := len(f.get("RETR /a")); n != 3_000 {
		t.Errorf("%d bytes", n)
	}
	conn := f.data("STOR /b")
	write(t, conn, make([]byte, 50_000))
	f.expectReply("STOR", f.cmd("ABOR"), 426)
	f.expectReply("ABOR", f.read(), 226)
	down := f.data("RETR /a")
	if _, err := io.ReadFull(down, make([]byte, 100)); err != nil {
		t.Error(err)
	}
	g.stop()
	g.wantDenials()
}

// Counts that were damaged while the gateway did not run are an alarm and on record, what can be read of them holds, and devices are served.
func TestDamagedCounts(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: limited("files_per_hour = 2")})
	f := g.login(0)
	f.put("/a", []byte("a"))
	f.put("/b", []byte("b"))
	g.kill()
	journal := filepath.Join(g.dir, "state", "quota", "journal")
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	text[bytes.LastIndexByte(text[:len(text)-1], '\n')-5] ^= 1 // in the frame before the last: no crash leaves that
	if err := os.WriteFile(journal, text, 0o600); err != nil {
		t.Fatal(err)
	}
	g.startAgain()
	g.waitLog("ALARM: the counts of limits were damaged")
	f = g.login(0)
	f.put("/c", []byte("c")) // the one that was forgotten
	f.epsv()
	f.expect(452, "STOR /d")
	if kept, err := os.ReadFile(journal + ".damaged"); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%d bytes are kept, %v", len(kept), err)
	}
	damaged := g.recordsOf(audit.LimitDamaged)
	if len(damaged) != 1 || !strings.Contains(damaged[0].Cause, "journal:") {
		t.Errorf("on record: %+v", damaged)
	}
}
