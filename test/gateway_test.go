// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// device is an identity that the fixture configures. The password is made up so that it cannot occur by chance anywhere.
type device struct {
	name, password string
	more           string // further attributes
}

func newDevice(name string) device { return device{name: name, password: "pw-" + name + "-Zx9q"} }

// setup is the configuration of a gateway under test. The zero setup has one device "relay" that may do everything in its home.
type setup struct {
	devices []device
	rules   string // HCL; empty for one rule that allows everything
	grace   string // shutdown_grace; empty for the default
	gateway string // further attributes of the gateway block
	conduit string // further attributes of the conduit
	zone    string // further attributes of the zone
	limits  string // content of the zone's limits block; empty for one that lets a whole zone of devices come from one address
	from    string // further addresses of devices, each with a comma and a space before it
	host    string // the address to listen at; empty for 127.0.0.1
	audit   string // further content of the audit block
	spool   string // content of the spool block besides dir; empty for no spool block
	env     []string
	agent   string   // socket of an ssh-agent that has the key to the server; empty for a key file
	under   []string // a program and its arguments that execute the gateway in their own place
	logDir  string   // of the audit log; empty for one beside the configuration
	verbose bool     // the operator log shows everything
	server  *sshdtest.Server
}

const allowAll = `
rule "all" {
  reason  = "the test is about something else"
  devices = ["*"]
  allow   = ["upload", "append", "download", "list", "delete", "rename", "mkdir", "rmdir", "modify"]
  paths   = ["/**"]
}
`

// gw is a running gateway.
type gw struct {
	t        testing.TB
	addr     string
	passive  [2]int // first and last port
	dir      string // of the configuration
	auditDir string
	server   *sshdtest.Server
	devices  []device
	verbose  bool
	secrets  []string // must be nowhere, in addition to the devices' passwords
	env      []string // in addition to this process's own
	under    []string // see setup

	cmd    *exec.Cmd
	log    logBuffer
	exited chan struct{} // closed when the process has ended and all of its output is in log
	status error         // of the process, once exited is closed
	dumped bool          // it was ended by dump
}

// startGateway runs `ftpgw serve` in front of s.server (one of its own where that is nil) until the test ends.
func startGateway(t testing.TB, s setup) *gw {
	t.Helper()
	if s.server == nil {
		s.server = sshdtest.Start(t)
	}
	if s.devices == nil {
		s.devices = []device{newDevice("relay")}
	}
	g := &gw{t: t, env: s.env, under: s.under, dir: t.TempDir(), server: s.server, devices: s.devices, verbose: s.verbose, exited: make(chan struct{})}
	if g.auditDir = s.logDir; s.logDir == "" {
		g.auditDir = filepath.Join(g.dir, "audit")
	}
	ports := portBlock(t)
	if s.host == "" {
		s.host = "127.0.0.1"
	}
	g.addr = net.JoinHostPort(s.host, strconv.Itoa(ports))
	g.passive = [2]int{ports + 1, ports + blockSize - 1}
	config := filepath.Join(g.dir, "ftpgw.hcl")
	if err := os.WriteFile(config, []byte(g.config(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start(config)
	t.Cleanup(g.check)
	g.waitLog("ready")
	return g
}

func (g *gw) config(s setup) string {
	g.t.Helper()
	if s.limits == "" {
		s.limits = "    connections_per_address = 2000\n    startups_per_address = 2000\n    sessions_per_device = 2000"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "zone \"bay\" {\n  listen = %q\n  passive_ports = \"%d-%d\"\n  %s\n  limits {\n%s\n  }\n}\n", g.addr, g.passive[0], g.passive[1], s.zone, s.limits)
	identity := fmt.Sprintf("identity = %q", s.server.Identity)
	if s.agent != "" {
		identity = fmt.Sprintf("identity_agent = %q", s.agent)
	}
	fmt.Fprintf(&b, "conduit \"far\" {\n  address = %q\n  user = %q\n  %s\n  known_hosts = %q\n  root = %q\n  %s\n}\n",
		s.server.Addr, s.server.User, identity, s.server.KnownHosts, s.server.Root, s.conduit)
	fmt.Fprintf(&b, "audit {\n  dir = %q\n%s\n}\n", g.auditDir, s.audit)
	if s.spool != "" {
		fmt.Fprintf(&b, "spool {\n  dir = %q\n%s\n}\n", filepath.Join(g.dir, "spool"), s.spool)
	}
	if s.grace != "" {
		s.gateway += fmt.Sprintf("\n  shutdown_grace = %q", s.grace)
	}
	fmt.Fprintf(&b, "gateway {\n  %s\n}\n", s.gateway)
	for _, d := range s.devices {
		hash, err := bcrypt.GenerateFromPassword([]byte(d.password), bcrypt.MinCost)
		if err != nil {
			g.t.Fatal(err)
		}
		fmt.Fprintf(&b, "device %q {\n  password_hash = %q\n  from = [\"127.0.0.0/8\", \"::1/128\"%s]\n  home = \"/%s\"\n  %s\n}\n", d.name, hash, s.from, d.name, d.more)
	}
	if s.rules == "" {
		s.rules = allowAll
	}
	b.WriteString(s.rules)
	return b.String()
}

func (g *gw) start(config string) {
	g.t.Helper()
	args := append(slices.Clone(g.under), binary(g.t), "serve", "--config", config, "--log-format", "json")
	if g.verbose {
		args = append(args, "--log-level", "debug")
	}
	g.cmd = exec.Command(args[0], args[1:]...)
	g.cmd.Dir = g.dir
	g.cmd.Env = append(os.Environ(), g.env...)
	out, in, err := os.Pipe()
	if err != nil {
		g.t.Fatal(err)
	}
	g.cmd.Stdout, g.cmd.Stderr = in, in
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	_ = in.Close()
	go func() {
		defer close(g.exited)
		g.log.fill(out)
		_ = out.Close()
		g.status = g.cmd.Wait()
	}()
}

// stop ends the gateway with SIGTERM and waits until it has exited.
func (g *gw) stop() {
	g.t.Helper()
	g.terminate()
	select {
	case <-g.exited:
	case <-time.After(patience + 30*time.Second):
		_ = g.cmd.Process.Signal(syscall.SIGQUIT) // prints all goroutines
		<-g.exited
		g.t.Errorf("the gateway did not exit after SIGTERM:\n%s", g.log.String())
	}
}

// dump ends the gateway at once and returns the stacks of all its goroutines.
func (g *gw) dump() string {
	g.t.Helper()
	g.dumped = true
	if err := g.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		g.t.Fatal(err)
	}
	<-g.exited
	return g.log.String()
}

func (g *gw) terminate() {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && err != os.ErrProcessDone {
		g.t.Errorf("SIGTERM: %v", err)
	}
}

// check is what holds at the end of every test.
func (g *gw) check() {
	g.stop()
	if g.status != nil && !g.dumped {
		g.t.Errorf("the gateway ended with %v", g.status)
	}
	log := g.log.String()
	for _, word := range []string{"panic", "DATA RACE", "goroutine "} {
		if strings.Contains(log, word) && !(g.dumped && word == "goroutine ") {
			g.t.Errorf("the operator log has %q", word)
		}
	}
	secrets := g.secrets
	for _, d := range g.devices {
		secrets = append(secrets, d.password)
	}
	entries, err := os.ReadDir(g.auditDir)
	if err != nil {
		g.t.Error(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(g.auditDir, e.Name()))
		if err != nil {
			g.t.Error(err)
		}
		g.noSecrets("the audit file "+e.Name(), string(content), append(secrets[:len(secrets):len(secrets)], "PRIVATE+KEY"))
	}
	if err := audit.Lines(g.auditDir, func(line []byte) error { // compressed ones as well
		g.noSecrets("the audit log", string(line), secrets)
		return nil
	}); err != nil {
		g.t.Error(err)
	}
	g.noSecrets("the operator log", log, secrets)
	if _, err := audit.Verify(context.Background(), g.auditDir, audit.VerifyOptions{}); err != nil {
		g.t.Errorf("the audit log is not intact: %v", err)
	}
	if g.t.Failed() {
		g.t.Logf("operator log:\n%s", log)
	}
}

func (g *gw) noSecrets(where, content string, secrets []string) {
	content = strings.ToLower(content) // what was taken for a verb is written in upper case
	for _, s := range secrets {
		if strings.Contains(content, strings.ToLower(s)) {
			g.t.Errorf("%s has the password %q", where, s)
		}
	}
}

// waitLog waits for a line of the operator log that contains text.
func (g *gw) waitLog(text string) {
	g.t.Helper()
	if !g.log.wait(text, patience, g.exited) {
		g.t.Fatalf("%q did not come up in the operator log:\n%s", text, g.log.String())
	}
}

// login logs in as the i-th device.
func (g *gw) login(i int) *ftp {
	g.t.Helper()
	return login(g.t, g.addr, g.devices[i].name, g.devices[i].password)
}

// home is the directory of the i-th device on the server's disk.
func (g *gw) home(i int) string { return filepath.Join(g.server.Root, g.devices[i].name) }

// records stops the gateway and returns the audit log, so that all of it is there.
func (g *gw) records() []audit.Record {
	g.t.Helper()
	g.stop()
	var list []audit.Record
	for r, err := range audit.Read(g.auditDir) {
		if err != nil {
			g.t.Fatal(err)
		}
		list = append(list, r)
		if r.Seq != uint64(len(list)) {
			g.t.Fatalf("record %d of the audit log has seq %d", len(list), r.Seq)
		}
	}
	return list
}

// recordsOf is records with only those of one event.
func (g *gw) recordsOf(e audit.Event) []audit.Record {
	g.t.Helper()
	var list []audit.Record
	for _, r := range g.records() {
		if r.Event == e {
			list = append(list, r)
		}
	}
	return list
}

// logBuffer takes the output of a process and wakes who waits for a text in it.
type logBuffer struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced with every line
}

func (l *logBuffer) fill(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		l.mu.Lock()
		l.text.WriteString(line)
		if l.changed != nil {
			close(l.changed)
			l.changed = nil
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) has(text string) bool { return strings.Contains(l.String(), text) }

func (l *logBuffer) wait(text string, limit time.Duration, end <-chan struct{}) bool {
	late := time.After(limit)
	for {
		l.mu.Lock()
		found := strings.Contains(l.text.String(), text)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-end:
			return strings.Contains(l.String(), text)
		case <-late:
			return false
		}
	}
}

// eventually waits for something that no event tells of, such as the disappearance of a file on the server.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// waitTemp waits until an upload of the i-th device has begun to arrive on the server.
func (g *gw) waitTemp(i int) {
	g.t.Helper()
	eventually(g.t, "a temporary file appears on the server", func() bool { return len(filesBelow(g.t, g.home(i))) > 0 })
}

// filesBelow lists the files in a tree on the server's disk, hidden ones included, relative to dir. A missing dir has none.
func filesBelow(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it went away meanwhile
		}
		if err != nil {
			return err
		}
		if !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
