// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// far is the server as a system reaches it: itself, or the near end of a link to it.
type far struct {
	*sshdtest.Server
	addr       string
	knownHosts string // file with the server's key under addr
}

// reach makes the server reachable over a link.
func reach(tb testing.TB, s *sshdtest.Server, profile linkProfile) far {
	tb.Helper()
	if profile == (linkProfile{}) {
		return far{s, s.Addr, s.KnownHosts}
	}
	f := far{Server: s, addr: startLink(tb, profile, s.Addr).addr(), knownHosts: filepath.Join(tb.TempDir(), "known_hosts")}
	known, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		tb.Fatal(err)
	}
	_, key, _ := strings.Cut(string(known), " ")
	host, port := split(tb, f.addr)
	if err := os.WriteFile(f.knownHosts, fmt.Appendf(nil, "[%s]:%s %s", host, port, key), 0o600); err != nil {
		tb.Fatal(err)
	}
	return f
}

func split(tb testing.TB, addr string) (host, port string) {
	tb.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	return host, port
}

// program is a system as a process that runs until the test ends.
type program struct {
	cmd   *exec.Cmd
	begun time.Time
	said  chan string // lines of its output, as long as somebody reads them
	ended chan struct{}
}

// launch starts a program and follows what it says.
func launch(tb testing.TB, name string, args ...string) *program {
	tb.Helper()
	p := &program{cmd: exec.Command(name, args...), said: make(chan string, 1000), ended: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(errors.Join(err, in.Close(), out.Close()))
	}
	_ = in.Close() // the program has its own
	go func() {
		defer close(p.ended)
		defer func() { _ = out.Close() }()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			select {
			case p.said <- lines.Text():
			default: // nobody waits for anything any more
			}
		}
	}()
	tb.Cleanup(p.stop)
	return p
}

func (p *program) process() process { return process(p.cmd.Process.Pid) }

// stop ends the program in order, and hard where it does not.
func (p *program) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.cmd.Wait() // how it ends is not what is measured
}

// await waits for a line.
func (p *program) await(tb testing.TB, text string) {
	tb.Helper()
	var all strings.Builder
	late := time.After(patience)
	for {
		select {
		case line := <-p.said:
			all.WriteString(line + "\n")
			if strings.Contains(line, text) {
				return
			}
		case <-p.ended:
			tb.Fatalf("%s has ended:\n%s", p.cmd.Path, all.String())
		case <-late:
			tb.Fatalf("%s does not say %q:\n%s", p.cmd.Path, text, all.String())
		}
	}
}

// freePort is a port that was free a moment ago.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port := split(tb, l.Addr().String())
	return port
}

const (
	userName = "device"
	password = "no-secret"
	// passivePorts are below those that the kernel hands out by itself, and not those of package test, which may run at the same time.
	gatewayPorts = "4000-6999"
	rclonePorts  = "7000-9999"
)

// writeGateway writes the configuration of a gateway in front of the server, as it is meant to be used.
func writeGateway(tb testing.TB, to far, r row) (config, addr string) {
	tb.Helper()
	dir := tb.TempDir()
	addr = net.JoinHostPort("127.0.0.1", freePort(tb))
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // logins are not measured
	if err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	// All devices have the one address of this machine here, and one name, so that the limits on these are lifted.
	fmt.Fprintf(&b, `zone "bay" {
  listen        = %q
  passive_ports = %q
  idle_timeout  = "1h"
  limits {
    connections               = 5000
    connections_per_address   = 5000
    connections_per_second    = 5000
    startups                  = "5000:30:5001"
    startups_per_address      = 5000
    sessions_per_device       = 5000
    passive_ports_per_address = 1000
  }
}
`, addr, gatewayPorts)
	fmt.Fprintf(&b, "conduit \"far\" {\n  address = %q\n  user = %q\n  identity = %q\n  known_hosts = %q\n  root = %q\n}\n",
		to.addr, to.User, to.Identity, to.knownHosts, to.Root)
	fmt.Fprintf(&b, "audit {\n  dir = \"audit\"\n}\ndevice %q {\n  password_hash = %q\n  from = [\"127.0.0.0/8\"]\n  home = \"/\"\n}\n", userName, hash)
	acknowledge := "delivered"
	if r.spooled {
		acknowledge = "spooled"
		b.WriteString("spool {\n  dir = \"spool\"\n}\n")
	}
	fmt.Fprintf(&b, `rule "everything" {
  reason  = "this is a benchmark"
  devices = ["*"]
  allow   = ["upload", "download", "list"]
  paths   = ["/**"]
  deliver {
    conduit     = "far"
    acknowledge = %q
    require     = ["fsync", "atomic"]
  }
}
`, acknowledge)
	config = filepath.Join(dir, "ftpgw.hcl")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return config, addr
}

// unavailable says that a system cannot do what a row asks for.
type unavailable struct{ reason string }

func (u *unavailable) Error() string { return "not available: " + u.reason }

// startGateway runs the gateway. What its own check refuses is not available.
func (s *systems) startGateway(tb testing.TB, to far, r row) (*ftpSystem, error) {
	tb.Helper()
	config, addr := writeGateway(tb, to, r)
	if out, err := exec.Command(s.ftpgw, "check", "--config", config).CombinedOutput(); err != nil {
		return nil, &unavailable{firstError(string(out))}
	}
	p := launch(tb, s.ftpgw, "serve", "--config", config)
	p.await(tb, "ready")
	return &ftpSystem{name: gatewayName, addr: addr, proc: p.process()}, nil
}

// firstError is the first line of diagnostics that says what is wrong.
func firstError(text string) string {
	for line := range strings.Lines(text) {
		if _, message, ok := strings.Cut(line, "Error: "); ok {
			return strings.TrimSpace(message)
		}
	}
	return strings.TrimSpace(text)
}

// startRclone runs rclone's FTP server on its SFTP backend, at its defaults but for what would cost it time for nothing: it need not look
// for programs on the server that make digests.
func (s *systems) startRclone(tb testing.TB, to far) *ftpSystem {
	tb.Helper()
	host, port := split(tb, to.addr)
	addr := net.JoinHostPort("127.0.0.1", freePort(tb))
	remote := fmt.Sprintf(":sftp,host=%s,port=%s,user=%s,key_file=%q,known_hosts_file=%q,shell_type=none,disable_hashcheck=true:%s",
		host, port, to.User, to.Identity, to.knownHosts, to.Root)
	p := launch(tb, s.rclone, "serve", "ftp", remote, "--config", os.DevNull, "--addr", addr, "--user", userName, "--pass", password, "--passive-port", rclonePorts)
	for late := time.After(patience); ; {
		if c, err := greet(addr); err == nil {
			c.close()
			return &ftpSystem{name: rcloneName, addr: addr, proc: p.process()}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ended:
			tb.Fatalf("rclone has ended: %s", drain(p.said))
		case <-late:
			tb.Fatalf("rclone does not answer: %s", drain(p.said))
		}
	}
}

func drain(lines chan string) string {
	var all []string
	for {
		select {
		case l := <-lines:
			all = append(all, l)
		default:
			return strings.Join(all, "\n")
		}
	}
}

// sftpSystem is OpenSSH's client with one connection that stays open.
type sftpSystem struct {
	commands io.WriteCloser
	marks    chan error // one for each mark that came back, or the end
	lines    int        // of output since the last mark
	procs    func() []process
	dir      string // for files on this side
}

const mark = "mark-of-the-benchmark"

// startSFTP runs sftp in batch mode.
func startSFTP(tb testing.TB, to far) *sftpSystem {
	tb.Helper()
	host, port := split(tb, to.addr)
	cmd := exec.Command("sftp", "-q", "-b", "-", "-P", port, "-o", "IdentityFile="+to.Identity, "-o", "IdentitiesOnly=yes",
		"-o", "UserKnownHostsFile="+to.knownHosts, "-o", "StrictHostKeyChecking=yes", "-F", os.DevNull, to.User+"@"+host)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	s := &sftpSystem{commands: in, marks: make(chan error, 1), dir: tb.TempDir(), procs: func() []process { return family(cmd.Process.Pid) }}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == mark {
				s.marks <- nil
			} else {
				s.lines++
			}
		}
	}()
	tb.Cleanup(func() {
		_ = in.Close()
		<-ended
		if err := cmd.Wait(); err != nil {
			tb.Errorf("sftp: %v\n%s", err, trouble.String())
		}
	})
	go func() { <-ended; s.marks <- errors.New("sftp has ended") }()
	if err := s.command(""); err != nil { // connected
		tb.Fatal(err)
	}
	return s
}

// command carries out one command and waits until it has been done.
func (s *sftpSystem) command(line string) error {
	s.lines = 0
	if _, err := fmt.Fprintf(s.commands, "%s\n!echo %s\n", line, mark); err != nil {
		return fmt.Errorf("sftp: %w", err)
	}
	select {
	case err := <-s.marks:
		return err
	case <-time.After(patience):
		return errors.New("sftp does not come back")
	}
}

// family is a process and its children.
func family(pid int) []process {
	all := []process{process(pid)}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return all
	}
	for child := range strings.FieldsSeq(string(raw)) {
		var n int
		if _, err := fmt.Sscan(child, &n); err == nil {
			all = append(all, process(n))
		}
	}
	return all
}
