// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// The key to the server is held by OpenSSH's agent alone: the gateway has never seen it, and delivers.
func TestKeyInAnAgent(t *testing.T) {
	t.Parallel()
	need(t, "ssh-agent", "ssh-add")
	socket := filepath.Join(t.TempDir(), "agent.sock")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	eventually(t, "the agent listens", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	server := sshdtest.Start(t)
	add := exec.Command("ssh-add", "-q", server.Identity)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v: %s", err, out)
	}
	if err := os.Remove(server.Identity); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, setup{server: server, agent: socket})
	g.waitLog("conduit is up")
	g.login(0).put("/event.dat", []byte("signed for by the agent"))
}
