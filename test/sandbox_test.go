// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/audit"
)

// needLandlock is for tests of what the kernel holds the gateway to: its files and TCP ports.
func needLandlock(t *testing.T) {
	t.Helper()
	const leastABI = 4
	if abi := landlockABI(); abi < leastABI {
		cannot(t, "this kernel has Landlock %d", abi)
	}
}

// landlockABI is the version of the kernel's Landlock, 0 where it has none.
func landlockABI() int {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// Without a word in the configuration the gateway confines itself, and its first record says how far. A reload cannot widen what it may
// read, not even for root, and the operator is told.
func TestSandbox(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	elsewhere := filepath.Join(t.TempDir(), "allowed.sha256")
	writeFile(t, elsewhere, strings.NewReader(strings.Repeat("0", 64)+"  x\n"))
	g := startGateway(t, setup{gateway: `sandbox = "required"`})
	g.waitLog("confined")
	f := g.login(0)
	f.put("/event.dat", content(t, 100_000, 1))

	config := filepath.Join(g.dir, "ftpgw.hcl")
	old, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf("content { sha256 = %q }\n}", elsewhere)
	changed := strings.Replace(string(old), "paths   = [\"/**\"]\n}", "paths   = [\"/**\"]\n"+list, 1)
	if changed == string(old) {
		t.Fatal("the rule of the configuration is not where it was")
	}
	// As an editor does it: a new file takes the place of the old one.
	writeFile(t, config+".new", strings.NewReader(changed))
	if err := os.Rename(config+".new", config); err != nil {
		t.Fatal(err)
	}
	g.hangUp()
	g.waitLog("others take a restart")
	f.put("/event2.dat", content(t, 1000, 1))
	writeFile(t, config, strings.NewReader(string(old)+"# changed\n"))
	g.hangUp()
	g.waitLog("configuration reloaded")
	starts := g.recordsOf(audit.GatewayStart)
	if len(starts) != 1 || !strings.Contains(starts[0].Detail["sandbox"], "files, TCP ports") {
		t.Errorf("on record: %+v", starts)
	}
}

// The process gives up privileges that it could gain, and core dumps, with a sandbox and without.
func TestProcessIsHardened(t *testing.T) {
	t.Parallel()
	for _, sandbox := range []string{"best-effort", "off"} {
		g := startGateway(t, setup{gateway: fmt.Sprintf("sandbox = %q", sandbox)})
		if sandbox == "off" {
			g.waitLog("not confined: the configuration says so")
		}
		proc := fmt.Sprintf("/proc/%d/", g.cmd.Process.Pid)
		for file, line := range map[string]string{"status": "NoNewPrivs:\t1", "limits": "Max core file size        0                    0 "} {
			text, err := os.ReadFile(proc + file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), line) {
				t.Errorf("%s: %s has no line %q:\n%s", sandbox, file, line, text)
			}
		}
		g.login(0).put("/event.dat", []byte("x"))
	}
}

// hangUp sends SIGHUP.
func (g *gw) hangUp() {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		g.t.Fatal(err)
	}
}
