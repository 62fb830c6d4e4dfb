// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

const nobody = 65534

// asNobody runs the program as a user that is neither root nor the gateway's.
func asNobody(t *testing.T, args ...string) (status int, stderr string) {
	t.Helper()
	if os.Getuid() != 0 {
		cannot(t, "needs root, to become somebody else")
	}
	if err := os.Chmod(filepath.Dir(binary(t)), 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// Only root and the gateway's own user reach the socket; and where somebody has opened up its mode, the gateway itself turns others
// away, and puts that on record.
func TestControlSocketIsNotForOthers(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	socket := filepath.Join(g.dir, "state", "control.sock")
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v, %v", info.Mode(), err)
	}
	for _, dir := range []string{filepath.Dir(g.dir), g.dir} { // what leads there is no obstacle
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if status, stderr := asNobody(t, "island", "on", "--socket", socket); status != 1 || !strings.Contains(stderr, "hears only root") {
		t.Errorf("by the mode of the socket: exit status %d, %s", status, stderr)
	}
	for name, mode := range map[string]os.FileMode{filepath.Dir(socket): 0o755, socket: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if status, stderr := asNobody(t, "island", "on", "--socket", socket); status != 1 || !strings.Contains(stderr, "hears only root") {
		t.Errorf("by the gateway: exit status %d, %s", status, stderr)
	}
	if g.statusNow().Island.On {
		t.Error("somebody has made the gateway an island")
	}
	refused := g.recordsOf(audit.ControlRefused)
	if len(refused) != 1 || refused[0].Detail["uid"] != "65534" || refused[0].Detail["pid"] == "" {
		t.Errorf("on record: %+v", refused)
	}
}

// The socket of a gateway that was killed is taken over by the next one, and goes away with a gateway that stops. While there is
// none, the commands say so.
func TestControlSocketAfterTheGateway(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.kill()
	if o := g.operate("status"); o.status != 1 || !strings.Contains(o.stderr, "no gateway answers") {
		t.Errorf("after a crash: exit status %d, %s", o.status, o.stderr)
	}
	g.startAgain()
	g.statusNow()
	g.stop()
	if _, err := os.Stat(filepath.Join(g.dir, "state", "control.sock")); !os.IsNotExist(err) {
		t.Errorf("after the stop the socket is still there: %v", err)
	}
	if o := g.operate("status"); o.status != 1 || !strings.Contains(o.stderr, "no gateway answers") {
		t.Errorf("after a stop: exit status %d, %s", o.status, o.stderr)
	}
}

// The socket can be somewhere else.
func TestControlSocketElsewhere(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "run", "gateway.sock")
	g := startGateway(t, setup{})
	g.stop()
	g.edit(func(text string) string {
		return strings.Replace(text, "gateway {", "gateway {\n  control = \""+socket+"\"\n", 1)
	})
	g.startAgain()
	if out := g.succeed("status"); !strings.Contains(out, "island") {
		t.Error(out)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Error(err)
	}
}

// Two gateways do not share a socket: the second one does not start.
func TestControlSocketInUse(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	var out bytes.Buffer
	text, err := os.ReadFile(g.configFile())
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.hcl")
	line := "gateway {\n  control = \"" + filepath.Join(g.dir, "state", "control.sock") + "\"\n"
	changed := strings.NewReplacer("gateway {", line, g.auditDir, filepath.Join(t.TempDir(), "audit")).Replace(string(text))
	if err := os.WriteFile(other, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary(t), "serve", "--config", other)
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "another process answers") {
		t.Errorf("%v\n%s", err, out.String())
	}
	g.statusNow()
}
