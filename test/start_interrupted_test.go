// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// strace runs the gateway so that what is injected happens at a system call of its own. With -D the tracer is the child.
func strace(dir, calls, inject string, more ...string) []string {
	args := []string{"strace", "-D", "-f", "-qq", "-o", filepath.Join(dir, "trace"), "-e", "trace=" + calls, "-e", "inject=" + inject}
	return append(args, more...)
}

// quickly spares strace the other system calls. It gets a process wrong then that is stopped, and ended before it goes on.
const quickly = "--seccomp-bpf"

// stoppedStart is a gateway that stands still in the middle of its start: it has read its configuration and confined the thread that will
// start it once more.
func stoppedStart(t *testing.T) (g *gw, cmd *exec.Cmd, output, trace func() string) {
	t.Helper()
	need(t, "strace")
	needRestart(t)
	g = startGateway(t, setup{})
	g.stop()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out")) // no pipe, which the tracer would keep open
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args := append(strace(dir, "landlock_restrict_self", "landlock_restrict_self:signal=SIGSTOP"), binary(t), "serve", "--config", g.configFile())
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test has not ended it
	read := func(name string) func() string {
		return func() string {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Error(err)
			}
			return string(text)
		}
	}
	name := filepath.Join(dir, "trace")
	eventually(t, "the start stands still", func() bool {
		text, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(text), "--- stopped by SIGSTOP")
	})
	return g, cmd, read(out.Name()), read(name)
}

// A configuration that is changed between the first start and the second is not served in the sandbox of the old one: the gateway ends,
// and says why once. Started again it is fine.
func TestConfigurationChangedDuringTheStart(t *testing.T) {
	t.Parallel()
	for block, line := range map[string]string{`zone "bay" {`: `active_ports = "2000-65535"`, "gateway {": `sandbox = "off"`} {
		g, cmd, output, _ := stoppedStart(t)
		g.edit(func(text string) string { return strings.Replace(text, block, block+"\n"+line, 1) })
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if out := output(); cmd.ProcessState.ExitCode() != 1 || strings.Count(out, "the configuration was changed") != 1 || strings.Count(out, "\n") != 2 {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		g.startAgain()
		g.login(0).put("/event.dat", []byte("x"))
	}
}

// A configuration that is changed so that the sandbox stays the same is served as it is now.
func TestPolicyChangedDuringTheStart(t *testing.T) {
	t.Parallel()
	g, cmd, output, _ := stoppedStart(t)
	g.edit(func(text string) string {
		return strings.Replace(text, "the test is about something else", "changed meanwhile", 1)
	})
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "devices are greeted", func() bool {
		r, err := greetedBy(t, g.addr)
		return err == nil && r.code == 220
	})
	g.login(0).put("/event.dat", []byte("x"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, output())
	}
	for _, r := range g.recordsOf(audit.TransferCommitted) {
		if r.Reason != "changed meanwhile" {
			t.Errorf("decided by the old rule: %+v", r)
		}
	}
}

// Whoever ends the gateway during its start is heard: it does not go on to serve.
func TestTerminatedDuringTheStart(t *testing.T) {
	t.Parallel()
	_, cmd, output, trace := stoppedStart(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("%v\n%s", err, output())
	}
	// By the kernel: what Go's runtime has caught, and sends to a thread again, is lost with the thread if another one is quicker.
	if text := trace(); strings.Contains(text, "si_signo=SIGTERM, si_code=SI_TKILL") {
		t.Errorf("the signal was caught:\n%s", text)
	}
}

// Where the system lets the gateway execute nothing, itself included, it confines itself as it runs.
func TestStartMayNotExecute(t *testing.T) {
	t.Parallel()
	need(t, "strace")
	needRestart(t)
	dir := t.TempDir()
	g := startGateway(t, setup{under: strace(dir, "execve", "execve:error=EACCES", quickly), verbose: true})
	if log := g.log.String(); !strings.Contains(log, inProcess) || !strings.Contains(log, "execve: permission denied") {
		t.Errorf("%s", log)
	}
	starts := g.recordsOf(audit.GatewayStart)
	if len(starts) != 1 || !strings.Contains(starts[0].Detail["sandbox"], "files, TCP ports") {
		t.Errorf("on record: %+v", starts)
	}
}

// On a kernel without Landlock a gateway starts where that is the best that can be had, and where it is required it does not.
func TestStartWithoutLandlock(t *testing.T) {
	t.Parallel()
	need(t, "strace")
	dir := t.TempDir()
	hidden := strace(dir, "landlock_create_ruleset", "landlock_create_ruleset:error=ENOSYS", quickly)
	g := startGateway(t, setup{under: hidden})
	g.waitLog("not confined: this kernel has no Landlock")
	g.login(0).put("/event.dat", []byte("x"))
	g.stop()
	g.edit(func(text string) string {
		return strings.Replace(text, "gateway {", "gateway {\n  sandbox = \"required\"\n", 1)
	})
	args := append(hidden, binary(t), "serve", "--config", g.configFile())
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "does not confine both files and TCP ports") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A mark in the environment that nobody confined the process for is no way around the sandbox, nor does the gateway start itself again and
// again for it.
func TestForgedMark(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	g := startGateway(t, setup{})
	g.stop()
	for _, sandbox := range []string{"required", "best-effort", "off"} {
		config := filepath.Join(t.TempDir(), "ftpgw.hcl")
		writeFile(t, config, strings.NewReader(strings.Replace(g.config(setup{server: g.server, devices: g.devices}), "gateway {", fmt.Sprintf("gateway {\n  sandbox = %q\n", sandbox), 1)))
		cmd := exec.Command(binary(t), "serve", "--config", config)
		cmd.Env = append(os.Environ(), "FTPGW_CONFINED=1:1")
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Count(string(out), "the process is not confined") != 1 {
			t.Errorf("%s: %v\n%s", sandbox, err, out)
		}
	}
}
