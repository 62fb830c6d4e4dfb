// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	encoding "encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// A user without privileges runs a gateway at a port below 1024 by the capability of the program's file (setcap cap_net_bind_service=ep),
// and by one that its parent has left it, as systemd does. Neither is lost on the way into the sandbox.
func TestCapabilityForLowPorts(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		cannot(t, "needs root, to become somebody else and to give a file a capability")
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(text)) != "1024" {
		cannot(t, "here everybody may listen at low ports: %s, %v", text, err)
	}
	dir := t.TempDir()
	plain, capable := filepath.Join(dir, "plain"), filepath.Join(dir, "capable")
	for _, program := range []string{plain, capable} {
		copyProgram(t, program)
	}
	if err := setCapability(capable, unix.CAP_NET_BIND_SERVICE); err != nil {
		cannot(t, "files cannot have capabilities here: %v", err)
	}
	for name, test := range map[string]struct {
		program string
		ambient []uintptr
		listens bool
	}{
		"neither":     {program: plain},
		"by the file": {program: capable, listens: true},
		"by parent":   {program: plain, ambient: []uintptr{unix.CAP_NET_BIND_SERVICE}, listens: true},
	} {
		addr := fmt.Sprintf("127.0.0.1:%d", lowPort(t))
		cmd := exec.Command(test.program, "serve", "--config", nobodysConfig(t, addr), "--log-level", "debug")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: test.ambient}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if !test.listens {
			if err := <-ended; err == nil || !strings.Contains(out.String(), "permission denied") {
				t.Errorf("%s: %v\n%s", name, err, out.String())
			}
			continue
		}
		greeted := false
		eventually(t, name+": the gateway greets, or ends", func() bool {
			r, err := greetedBy(t, addr)
			greeted = err == nil && r.code == 220
			return greeted || len(ended) > 0
		})
		if status := statusOf(t, strconv.Itoa(cmd.Process.Pid)); greeted && (status["CapPrm"] != "0000000000000400" || status["NoNewPrivs"] != "1") {
			t.Errorf("%s: it may do more than it must, or gain it: %v", name, status)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-ended; err != nil || !greeted {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
		if _, does := restarts(); does && strings.Contains(out.String(), inProcess) {
			t.Errorf("%s: it was not started once more", name)
		}
	}
}

// copyProgram puts a copy of the program where everybody can execute it.
func copyProgram(t testing.TB, to string) {
	t.Helper()
	text, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
	openUp(t, filepath.Dir(to))
}

// openUp lets everybody into a directory of the test, and the one above it.
func openUp(t testing.TB, dir string) {
	t.Helper()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// setCapability gives a program a capability in the permitted and the effective set (capabilities(7), vfs_cap_data of revision 2).
func setCapability(program string, capability int) error {
	const revision2, effective = 0x02000000, 1
	data := make([]byte, 20)
	encoding.LittleEndian.PutUint32(data, revision2|effective)
	encoding.LittleEndian.PutUint32(data[4:], 1<<capability)
	return unix.Setxattr(program, "security.capability", data, 0)
}

// lowPort is a port below 1024 that nobody listens at.
func lowPort(t *testing.T) int {
	t.Helper()
	for port := 600 + os.Getpid()%200; port < 1024; port++ {
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port below 1024")
	return 0
}

// nobodysConfig is a configuration that is nobody's, with all that belongs to it.
func nobodysConfig(t *testing.T, addr string) string {
	t.Helper()
	server := sshdtest.Start(t)
	dir := t.TempDir()
	openUp(t, dir)
	mine := map[string]string{server.Identity: filepath.Join(dir, "identity"), server.KnownHosts: filepath.Join(dir, "known_hosts")}
	ports := portBlock(t)
	g := &gw{t: t, addr: addr, passive: [2]int{ports, ports + blockSize - 1}, auditDir: filepath.Join(dir, "var", "audit")}
	text := g.config(setup{server: server, devices: []device{newDevice("relay")}})
	for from, to := range mine {
		key, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, key, 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	config := filepath.Join(dir, "ftpgw.hcl")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, config, mine[server.Identity], mine[server.KnownHosts]} {
		if err := os.Chown(name, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return config
}
