// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// ftpgw status tells how the gateway is doing, for programs and for people, whose terminals have 80 columns.
func TestStatus(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	anybody := dial(t, g.addr)
	conn := f.data("STOR /a-file-with-a-name-that-is-too-long-for-a-line-of-a-terminal-all-by-itself-already")
	write(t, conn, make([]byte, 1<<20))
	var s gatewayStatus
	eventually(t, "a megabyte is on its way", func() bool {
		s = g.statusNow()
		return len(s.Transfers) == 1 && s.Transfers[0].Bytes == 1<<20
	})
	if x := s.Transfers[0]; x.Device != g.devices[0].name || x.Verb != "STOR" || !strings.HasPrefix(x.Args, "/a-file") {
		t.Errorf("transfer: %+v", x)
	}
	if s.Gateway.Version == "" || s.Gateway.PID != g.cmd.Process.Pid || s.Gateway.Uptime == nil || len(s.Configuration.Digest) != 64 || s.Island.On {
		t.Errorf("gateway: %+v %+v %+v", s.Gateway, s.Configuration, s.Island)
	}
	if len(s.Zones) != 1 || s.Zones[0].Name != "bay" || s.Zones[0].Listen != g.addr || s.Zones[0].Sessions != 2 || s.Zones[0].LoggedIn != 1 {
		t.Errorf("zones: %+v", s.Zones)
	}
	if len(s.Conduits) != 1 || s.Conduits[0].Name != "far" || !s.Conduits[0].Up || s.Conduits[0].Connections == 0 || s.Conduits[0].Since.IsZero() {
		t.Errorf("conduits: %+v", s.Conduits)
	}
	if s.Audit.Durable == 0 || s.Audit.Free <= 0 {
		t.Errorf("audit: %+v", s.Audit)
	}
	text := g.succeed("status")
	for _, want := range []string{"island         off", "zone           bay at " + g.addr, "2 sessions, 1 logged in", "conduit        far: up since", "transfers      1 running", "STOR /a-file", "is durable"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	anybody.expect(221, "QUIT")
	g.server.Kill()
	eventually(t, "the conduit is down, with the reason", func() bool {
		s = g.statusNow()
		return len(s.Transfers) == 0 && !s.Conduits[0].Up && s.Conduits[0].LastError != ""
	})
	if text := g.succeed("status"); !strings.Contains(text, "DOWN since") || !strings.Contains(text, "last error:") {
		t.Errorf("with the conduit down:\n%s", text)
	}
}

// status --watch shows it again and again, with --json a line each time, and ends with Ctrl-C as if nothing had happened.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	cmd := exec.Command(binary(t), "status", "--config", g.configFile(), "--watch", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 {
		var s gatewayStatus
		if !lines.Scan() {
			t.Fatalf("no further line: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil || s.Gateway.PID != g.cmd.Process.Pid {
			t.Errorf("%v in %s", err, lines.Text())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // until it has ended
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
