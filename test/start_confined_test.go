// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// restarts reports whether a gateway starts itself once more here, confined from the beginning; where not, why.
func restarts() (why string, does bool) {
	switch abi := landlockABI(); {
	case abi < 4 || abi >= 8:
		return fmt.Sprintf("Landlock %d confines a running process as fast", abi), false
	case os.Getenv("FTPGW_RACE") == "1":
		return "with the race detector the program has libraries, for which there are no rules", false
	}
	return "", true
}

// needRestart skips tests of a start that there is not here.
func needRestart(t *testing.T) {
	t.Helper()
	needLandlock(t)
	if why, does := restarts(); !does {
		t.Skip(why)
	}
}

// inProcess is what the log says, at its most talkative, of a gateway that did not start itself once more.
const inProcess = "the running process will be confined"

// A gateway with all the ports of active mode is confined from its first instruction on. It has lost nothing by the second start: it is
// called what it was, knows the local time, no signal is blocked or ignored, and nothing is said twice.
func TestStartsConfined(t *testing.T) {
	t.Parallel()
	needRestart(t)
	zone := filepath.Join(t.TempDir(), "zone")
	writeFile(t, zone, strings.NewReader("TZif"+strings.Repeat("\x00", 16+16)+"\x00\x00\x00\x01\x00\x00\x00\x04"+"\x00\x00\x4d\x58\x00\x00"+"IST\x00")) // tzfile(5): 05:30
	g := startGateway(t, setup{host: "0.0.0.0", verbose: true, env: []string{"TZ=:" + zone}})
	if !strings.Contains(g.log.String(), "+05:30") {
		t.Error("it does not know the local time")
	}
	if strings.Contains(g.log.String(), inProcess) {
		t.Error("it was not started once more")
	}
	mine, its := statusOf(t, "self"), statusOf(t, strconv.Itoa(g.cmd.Process.Pid))
	if blocked := threadsThatBlock(t, g.cmd.Process.Pid, mine["SigBlk"]); blocked > 1 { // Go takes signals on one that blocks the others
		t.Errorf("%d threads block signals", blocked)
	}
	if more := signals(t, its["SigIgn"]) &^ signals(t, mine["SigIgn"]); more != 0 { // it may have been started with some ignored
		t.Errorf("signals are ignored: %x", more)
	}
	if its["Name"] != "ftpgw" || its["NoNewPrivs"] != "1" {
		t.Errorf("%v", its)
	}
	for _, line := range []string{`"confined"`, "listens at all addresses", `"ready"`} {
		if n := strings.Count(g.log.String(), line); n != 1 {
			t.Errorf("%s was said %d times", line, n)
		}
	}
	if os.Getuid() == 0 { // nobody else may look there
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", g.cmd.Process.Pid))
		if err != nil || len(links) == 0 {
			t.Errorf("%v, %v", links, err)
		}
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.Contains(to, "landlock") {
				t.Errorf("a ruleset was left open: %s", to)
			}
		}
	}
	g.login(0).put("/event.dat", []byte("x"))
	g.hangUp()
	g.waitLog("configuration reloaded")
}

// threadsThatBlock counts the threads of a process that block other signals than these.
func threadsThatBlock(t *testing.T, pid int, usual string) (n int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		if _, err := os.Stat(thread); err == nil && statusOf(t, strings.TrimPrefix(thread, "/proc/"))["SigBlk"] != usual {
			n++
		}
	}
	return n
}

// signals is a set of signals, one bit each, as the status of a process shows it.
func signals(t *testing.T, field string) uint64 {
	t.Helper()
	set, err := strconv.ParseUint(field, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// statusOf are the fields of the status of a process or thread in /proc.
func statusOf(t *testing.T, process string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("/proc", process, "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fields := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields
}

// What a start does that the sandbox does not allow is done before it, however long the start takes then.
func TestStartsOutsideTheSandbox(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for name, s := range map[string]setup{
		"a key is made":           {audit: fmt.Sprintf("signing_key = %q", filepath.Join(dir, "made"))},
		"a socket is elsewhere":   {gateway: fmt.Sprintf("control = %q", filepath.Join(dir, "run", "control.sock"))},
		"stdout is opened again":  {audit: `sink "out" { type = "stdout" }`, under: []string{"sh", "-c", `exec "$@" >"$0"`, fifo}},
		"few ports to connect to": {zone: `active_ports = "20000-21000"`},
	} {
		s.verbose = true
		g := startGateway(t, s)
		if log := g.log.String(); !strings.Contains(log, `"confined"`) || !strings.Contains(log, inProcess) {
			t.Errorf("%s:\n%s", name, log)
		}
		g.stop()
	}
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, "gateway.start") {
		t.Errorf("%q, %v", line, err)
	}
}

// A key that a symbolic link leads to is found, be it out of the state directory.
func TestSigningKeyBehindALink(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.stop()
	key, moved := filepath.Join(g.dir, "state", "checkpoint.key"), filepath.Join(t.TempDir(), "moved.key")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, moved, bytes.NewReader(text))
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(moved, key); err != nil {
		t.Fatal(err)
	}
	g.startAgain()
	g.login(0).put("/event.dat", []byte("x"))
	if out := g.succeed("reload"); !strings.Contains(out, "nothing changed") { // whether the key has cannot be read in the sandbox
		t.Errorf("reload says:\n%s", out)
	}
}

// Mistakes are told once, whichever start comes upon them.
func TestMistakesAreToldOnce(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	text := g.config(setup{server: g.server, devices: g.devices})
	elsewhere := strings.Replace(text, fmt.Sprintf("dir = %q", g.auditDir), fmt.Sprintf("dir = %q", filepath.Join(t.TempDir(), "audit")), 1)
	config := filepath.Join(t.TempDir(), "other.hcl")
	for want, text := range map[string]string{"Error: ": "nonsense = 1\n" + text, "address already in use": elsewhere} {
		writeFile(t, config, strings.NewReader(text))
		out, err := exec.Command(binary(t), "serve", "--config", config).CombinedOutput()
		if err == nil || strings.Count(string(out), want) != 1 || strings.Count(string(out), "\nftpgw: ") != 1+strings.Count(string(out), "\nftpgw: hint: ") {
			t.Errorf("%s: %v\n%s", want, err, out)
		}
	}
}
