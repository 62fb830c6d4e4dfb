// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; no test passes because of it.
const patience = 20 * time.Second

// memlog keeps records, and fails when told to.
type memlog struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
}

func (l *memlog) Accepts(string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *memlog) Record(_ context.Context, r audit.Record) error { return l.Note(r) }

func (l *memlog) Note(r audit.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.records = append(l.records, r)
	return nil
}

func (l *memlog) failWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// of returns the records of one event.
func (l *memlog) of(e audit.Event) (found []audit.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Event == e {
			found = append(found, r)
		}
	}
	return found
}

// countedHashes counts the passwords that are compared with a hash.
type countedHashes struct {
	passwords
	n atomic.Int64
}

func (c *countedHashes) Check(ctx context.Context, hash string, password []byte, known bool) (bool, error) {
	c.n.Add(1)
	return c.passwords.Check(ctx, hash, password, known)
}

func (c *countedHashes) Pretend(ctx context.Context, hash string, password []byte, known bool) error {
	c.n.Add(1)
	return c.passwords.Pretend(ctx, hash, password, known)
}

// fixture is a front on loopback before a far side in memory.
type fixture struct {
	front  *Front
	remote *memremote.Remote
	log    *memlog
	logged *watchedLog
	hashed *countedHashes
	stop   context.CancelFunc
	done   chan struct{}
}

const password = "correct horse"

// maxListed is how many entries a directory may have.
const maxListed = 1000

// start is startWith without limits on all zones together.
func start(t *testing.T, change func(*Zone)) *fixture {
	t.Helper()
	return startWith(t, Totals{}, change)
}

// startWith runs a front whose device "relay" may do everything below / but nothing below /secret, and uploads up to 10 MB below /small.
func startWith(t *testing.T, totals Totals, change func(*Zone)) *fixture {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	zone := Zone{
		Name: "bay", Listen: netip.MustParseAddrPort("127.0.0.1:0"), PassivePorts: PortRange{20000, 29999}, ActivePorts: PortRange{1024, 65535},
		IdleTimeout: patience, LoginTimeout: patience, DataTimeout: patience, StallTimeout: patience, Greeting: "FTP service ready.",
		Limits: Limits{LoginAttempts: 5, LoginAttemptsPerAddress: 20, LoginDelay: time.Millisecond, Lockout: time.Hour},
	}
	if change != nil {
		change(&zone)
	}
	f := &fixture{remote: &memremote.Remote{}, log: &memlog{}, logged: &watchedLog{to: t.Output()}, done: make(chan struct{})}
	logger := slog.New(slog.NewTextHandler(f.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	gw := gateway.New(gateway.Options{
		Policy: everything(t), Remotes: map[string]gateway.Remote{"far": f.remote}, Log: f.log, Logger: logger, Now: now,
		Limits: gateway.Limits{ListingEntries: maxListed},
	})
	f.front = New(Options{
		Zones: []Zone{zone}, Limits: totals, Gateway: gw, Log: f.log, Logger: logger, Now: now,
		Devices: []Device{{Name: "relay", User: "relay", PasswordHash: credential.NewSecret(string(hash)), Home: "/relay"},
			{Name: "elsewhere", User: "elsewhere", PasswordHash: credential.NewSecret(string(hash)), Home: "/e", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
	})
	f.hashed = &countedHashes{passwords: f.front.checker}
	f.front.checker = f.hashed
	var ctx context.Context
	ctx, f.stop = context.WithCancel(context.Background())
	if err := f.front.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.done)
		if err := f.front.Serve(ctx, 100*time.Millisecond); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		f.stop()
		<-f.done
		if n := f.remote.Uploads(); n != 0 {
			t.Errorf("%d uploads were neither committed nor aborted", n)
		}
		f.nothingLeft(t)
		if n := len(f.front.zones[0].ports.used); n != 0 {
			t.Errorf("%d passive ports are still taken", n)
		}
	})
	return f
}

// nothingLeft checks that nobody is counted who is gone.
func (f *fixture) nothingLeft(t *testing.T) {
	t.Helper()
	d := f.front.zones[0].doors
	if d.connections != 0 || d.startups != 0 || f.front.connections.taken.Load() != 0 || f.front.transfers.taken.Load() != 0 || len(f.front.devices) != 0 {
		t.Errorf("still counted: %d connections (%d in all), %d startups, %d transfers, devices %v",
			d.connections, f.front.connections.taken.Load(), d.startups, f.front.transfers.taken.Load(), f.front.devices)
	}
	for from, v := range d.visitors.entries {
		if v.connections != 0 || v.startups != 0 || v.ports != 0 {
			t.Errorf("%s still counts: %+v", from, *v)
		}
	}
	for from, s := range f.front.zones[0].guard.suspects.entries {
		if s.pending != 0 {
			t.Errorf("%s still has %d logins that are looked at", from, s.pending)
		}
	}
}

func everything(t *testing.T) *policy.Policy {
	t.Helper()
	glob := func(pattern string) []policy.Glob {
		g, err := policy.CompileGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return []policy.Glob{g}
	}
	far := policy.Delivery{Conduit: "far", Acknowledge: policy.Delivered}
	p, err := policy.New([]policy.Rule{
		{Name: "secret", Reason: "nobody", Deny: true, Ops: policy.Operations(), Paths: glob("/secret/**")},
		{Name: "small", Reason: "thin link", Ops: []policy.Operation{policy.Upload, policy.Download}, Paths: glob("/small/**"), MaxSize: 1000, Deliver: far},
		{Name: "not-small", Reason: "thin link", Deny: true, Ops: []policy.Operation{policy.Upload, policy.Download}, Paths: glob("/small/**")},
		{Name: "all", Reason: "test", Ops: policy.Operations(), Deliver: far},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// client is a device.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (f *fixture) dial(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("tcp", f.front.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.expect(220)
	return c
}

func newClient(t *testing.T, conn net.Conn) *client {
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (f *fixture) login(t *testing.T) *client {
	t.Helper()
	c := f.dial(t)
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	return c
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads a whole reply and returns its text.
func (c *client) expect(code int) string {
	c.t.Helper()
	var text strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for %d: %v (so far %q)", code, err, text.String())
		}
		text.WriteString(line)
		if len(line) > 3 && line[3] == ' ' && line[0] != ' ' {
			if got, _ := strconv.Atoi(line[:3]); got != code {
				c.t.Fatalf("got %q, want %d", text.String(), code)
			}
			return text.String()
		}
	}
}

func (c *client) cmd(code int, line string) string {
	c.t.Helper()
	c.send(line + "\r\n")
	return c.expect(code)
}

// pasv prepares a data connection and returns its address.
func (c *client) pasv() string {
	c.t.Helper()
	text := c.cmd(229, "EPSV")
	port := strings.Split(text, "|")[3]
	host, _, _ := net.SplitHostPort(c.conn.RemoteAddr().String())
	return net.JoinHostPort(host, port)
}

func (c *client) dialData(addr string) *net.TCPConn {
	c.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// store sends data with a command and expects the final code.
func (c *client) store(code int, command string, data []byte) string {
	c.t.Helper()
	conn := c.dialData(c.pasv())
	c.cmd(150, command)
	if _, err := conn.Write(data); err != nil {
		c.t.Logf("data connection: %v", err)
	}
	if err := conn.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.expect(code)
}

// fetch receives what a command brings.
func (c *client) fetch(command string) []byte {
	c.t.Helper()
	conn := c.dialData(c.pasv())
	c.cmd(150, command)
	data, err := io.ReadAll(conn)
	if err != nil {
		c.t.Fatal(err)
	}
	c.expect(226)
	return data
}

// watchedLog is the operator log of a test.
type watchedLog struct {
	to   io.Writer
	mu   sync.Mutex
	text strings.Builder
}

func (w *watchedLog) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	return w.to.Write(p)
}

func (w *watchedLog) holds(words string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), words)
}

// wait waits for words in the log.
func (w *watchedLog) wait(t *testing.T, words string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !w.holds(words); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not logged", words)
		}
	}
}

// halfClose says that the device will send no more commands; it could still read.
func (c *client) halfClose() {
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		c.t.Error(err)
	}
}

// reset ends the control connection with RST.
func (c *client) reset() {
	if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
		c.t.Error(err)
	}
	if err := c.conn.Close(); err != nil {
		c.t.Error(err)
	}
}
