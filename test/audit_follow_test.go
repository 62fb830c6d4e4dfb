// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// "audit show --follow" shows what is there, and then each record when it comes, until it is interrupted.
func TestAuditFollow(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.login(0).expect(257, "MKD /early")
	cmd := exec.Command(binary(t), "audit", "show", "--dir", g.auditDir, "--event", "command", "--json", "--follow")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func(verb, args string) {
		t.Helper()
		for lines.Scan() {
			r, err := audit.ParseLine(lines.Bytes())
			if err != nil || r.Event != audit.Command {
				t.Fatalf("%s: %v", lines.Text(), err)
			}
			if r.Verb == verb && r.Args == args {
				return
			}
		}
		t.Fatalf("%s %s is not shown: %v", verb, args, lines.Err())
	}
	next("MKD", "/early")
	f := g.login(0)
	f.expect(257, "MKD /late")
	next("MKD", "/late")
	f.expect(221, "QUIT")
	next("QUIT", "")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ends with %v", err)
	}
}

// Two programs cannot write one log: the second gateway says so and ends, and the first goes on.
func TestSecondGatewayOnOneLog(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	text := strings.Replace(g.config(setup{host: "127.0.0.1", server: g.server, devices: g.devices, gateway: `state_dir = "state"`}), g.addr, "127.0.0.1:0", 1)
	config := t.TempDir() + "/other.hcl"
	writeFile(t, config, strings.NewReader(text))
	out, err := exec.Command(binary(t), "serve", "--config", config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("the second gateway: %v\n%s", err, out)
	}
	g.login(0).put("/file", []byte("data"))
}
