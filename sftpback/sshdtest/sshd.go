// SPDX-License-Identifier: Apache-2.0

package sshdtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

const (
	program = "/usr/sbin/sshd"
	// subsystem is run by sshd itself, in a process of its own for each channel. The program sftp-server would be started by the
	// user's shell, after whatever the shell reads at its start on the machine of the tests.
	subsystem = "internal-sftp"
	// requireReal makes a missing program a failure instead of a reason to skip.
	requireReal = "FTPGW_REQUIRE_REAL"
)

// Server is an OpenSSH server.
type Server struct {
	Addr       string // host:port
	User       string
	Root       string // an empty directory for files; the server can reach the whole file system
	Identity   string // private key file that is let in
	KnownHosts string // file with the host key of the start, whatever ChangeHostKey does

	tb     testing.TB
	dir    string
	config string

	mu  sync.Mutex
	log strings.Builder
	run *run
}

// run is one life of the server.
type run struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it listens
	ended chan struct{} // closed when its output has ended
}

// Cannot skips a test that this machine does not allow; where FTPGW_REQUIRE_REAL is set, the test fails.
func Cannot(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv(requireReal) != "" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

// Start starts a server. extra are further lines of sshd_config, which come first and so win. The test is skipped where
// there is no sshd, unless FTPGW_REQUIRE_REAL is set.
func Start(tb testing.TB, extra ...string) *Server {
	tb.Helper()
	return StartAt(tb, "127.0.0.1", extra...)
}

// StartAt is Start for a server at another address of this machine.
func StartAt(tb testing.TB, host string, extra ...string) *Server {
	tb.Helper()
	if _, err := os.Stat(program); err != nil {
		Cannot(tb, "OpenSSH server is missing: %v", err)
	}
	me, err := user.Current()
	if err != nil {
		tb.Fatalf("who am I: %v", err)
	}
	dir := tb.TempDir()
	s := &Server{
		tb: tb, dir: dir, User: me.Username, Root: filepath.Join(dir, "root"), Identity: filepath.Join(dir, "id_ed25519"),
		KnownHosts: filepath.Join(dir, "known_hosts"), config: filepath.Join(dir, "sshd_config"), Addr: freeAddr(tb, host),
	}
	if err := s.prepare(extra); err != nil {
		tb.Fatalf("prepare sshd: %v", err)
	}
	tb.Cleanup(s.Kill)
	s.Restart()
	return s
}

// freeAddr is an address that was free a moment ago; sshd cannot choose a port itself.
func freeAddr(tb testing.TB, host string) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *Server) prepare(extra []string) error {
	if os.Geteuid() == 0 { // where sshd, as root, confines its unprivileged part
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(s.Root, 0o755); err != nil {
		return err
	}
	authorized, err := sftpserver.NewClientKey(s.Identity)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "authorized_keys"), []byte(authorized+"\n"), 0o600); err != nil {
		return err
	}
	host, err := s.newHostKey()
	if err != nil {
		return err
	}
	name, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[%s]:%s %s\n", name, port, host), 0o600); err != nil {
		return err
	}
	lines := append(extra,
		"ListenAddress "+s.Addr,
		"HostKey "+filepath.Join(s.dir, "host_key"),
		"AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"),
		"PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin yes", "MaxStartups 100", "LogLevel VERBOSE", "Subsystem sftp "+subsystem, "")
	return os.WriteFile(s.config, []byte(strings.Join(lines, "\n")), 0o600)
}

func (s *Server) newHostKey() (public string, err error) {
	file := filepath.Join(s.dir, "host_key")
	if err := os.RemoveAll(file); err != nil {
		return "", err
	}
	return sftpserver.NewClientKey(file)
}

// ChangeHostKey gives the server another host key, which it uses from its next Restart on. KnownHosts keeps the old one.
func (s *Server) ChangeHostKey() {
	s.tb.Helper()
	if _, err := s.newHostKey(); err != nil {
		s.tb.Fatalf("change host key: %v", err)
	}
}

// Restart kills the server where it runs, and starts it on the same port. It returns when the server listens.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	out, in, err := os.Pipe()
	if err != nil {
		s.tb.Fatalf("start sshd: %v", err)
	}
	r := &run{ready: make(chan struct{}), ended: make(chan struct{})}
	r.cmd = exec.CommandContext(context.WithoutCancel(s.tb.Context()), program, "-D", "-e", "-f", s.config)
	r.cmd.Stderr = in
	err = r.cmd.Start()
	_ = in.Close() // the server has its own
	if err != nil {
		_ = out.Close()
		s.tb.Fatalf("start sshd: %v", err)
	}
	go s.follow(r, out)
	s.mu.Lock()
	s.run = r
	s.mu.Unlock()
	select {
	case <-r.ready:
	case <-r.ended:
		s.tb.Fatalf("sshd has not started:\n%s", s.Log())
	}
}

// follow collects what a server and its children say. It ends when the last of them has ended.
func (s *Server) follow(r *run, out *os.File) {
	defer close(r.ended)
	defer func() { _ = out.Close() }()
	listening := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.mu.Lock()
		s.log.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		if !listening && strings.HasPrefix(lines.Text(), "Server listening on") {
			listening = true
			close(r.ready)
		}
	}
}

// Log is what all servers so far have logged.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}
