// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const unitFile = "../configs/systemd/ftpgw.service"

// systemd finds nothing wrong with the unit, and little exposed: 2.0 or better of 10.
func TestSystemdUnitIsHardened(t *testing.T) {
	t.Parallel()
	need(t, "systemd-analyze")
	out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", unitFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`Overall exposure level for ftpgw.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 2.0 {
		t.Errorf("the exposure level is %s (%v):\n%s", m[1], err, out)
	}
	// The program is looked for where the unit says: a copy that names this one is the same otherwise.
	unit, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "ftpgw.service")
	writeFile(t, copied, strings.NewReader(strings.ReplaceAll(string(unit), "/usr/bin/ftpgw", binary(t))))
	if out, err := exec.Command("systemd-analyze", "verify", copied).CombinedOutput(); err != nil || strings.Contains(string(out), "ftpgw") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// settings are the values of a setting in the unit, in their order.
func settings(t *testing.T, name string) (values []string) {
	t.Helper()
	f, err := os.Open(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if v, ok := strings.CutPrefix(in.Text(), name+"="); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		t.Fatalf("the unit has no %s", name)
	}
	return values
}

// callsOf are the system calls of a set, such as @system-service, or the call itself.
func callsOf(t *testing.T, name string) []string {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	out, err := exec.Command("systemd-analyze", "syscall-filter", "--no-pager", name).Output()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
	}
	var calls []string
	for _, line := range strings.Split(string(out), "\n")[1:] {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			calls = append(calls, callsOf(t, line)...)
		}
	}
	return calls
}

// allowedCalls are the system calls that the unit lets the program make.
func allowedCalls(t *testing.T) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, value := range settings(t, "SystemCallFilter") {
		value, deny := strings.CutPrefix(value, "~")
		for _, name := range strings.Fields(value) {
			for _, call := range callsOf(t, name) {
				allowed[call] = !deny
			}
		}
	}
	return allowed
}

// The unit's filter lets through every system call that the program makes in the whole of its life: start, confinement, both kinds of
// data connections, a reload, the service manager, the end. And every family of sockets that it opens is one of the unit's.
func TestSystemdUnitLetsTheProgramWork(t *testing.T) {
	t.Parallel()
	need(t, "systemd-analyze", "strace")
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	// With -D the tracer is the child, so that signals reach the gateway.
	g := startGateway(t, setup{under: []string{"strace", "-D", "-f", "-qq", "-o", trace}, env: []string{"NOTIFY_SOCKET=" + manager.LocalAddr().String()}})
	f := g.login(0)
	f.put("/event.dat", content(t, 3<<20, 1))
	f.get("RETR /event.dat")
	f.get("LIST")
	activeList(t, f)
	g.hangUp()
	g.waitLog("configuration reloaded")
	g.stop()
	allowed := allowedCalls(t)
	families := strings.Fields(settings(t, "RestrictAddressFamilies")[0])
	call := regexp.MustCompile(`^\d+ +([a-z0-9_]+)\(([A-Z_0-9]*)`)
	seen := map[string]bool{}
	text := ""
	eventually(t, "the trace ends", func() bool {
		b, err := os.ReadFile(trace)
		text = string(b)
		return err == nil && strings.Contains(text, "exit_group(0")
	})
	for line := range strings.Lines(text) {
		m := call.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if !allowed[m[1]] && !seen[m[1]] {
			t.Errorf("the unit does not let the program call %s: %s", m[1], line)
		}
		seen[m[1]] = true
		if m[1] == "socket" && !slices.Contains(families, m[2]) {
			t.Errorf("the unit does not let the program have sockets of %s: %s", m[2], line)
		}
	}
	for _, must := range []string{"landlock_restrict_self", "socket", "fsync", "accept4", "connect"} {
		if !seen[must] {
			t.Errorf("the trace has no %s: it is not that of the program", must)
		}
	}
}

// activeList has the gateway connect to the device.
func activeList(t *testing.T, f *ftp) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f.expect(200, "PORT 127,0,0,1,%d,%d", port>>8, port&0xff)
	f.expect(150, "NLST")
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if names, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(names, "event.dat") {
		t.Errorf("%q, %v", names, err)
	}
	_ = conn.Close()
	f.expectReply("NLST", f.read(), 226)
}
