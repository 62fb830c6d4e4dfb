// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. It is not an assertion about speed.
const patience = 20 * time.Second

// far is a server with a conduit to it.
type far struct {
	*Conduit
	root string // the conduit's root on this machine
	log  *logBuffer
	sshd *sshdtest.Server // nil for the embedded server
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// run makes a conduit and runs it until the test ends.
func run(tb testing.TB, cfg Config) (*Conduit, *logBuffer) { return runBy(tb, cfg, connectTCP) }

// runBy is run with another way to connect.
func runBy(tb testing.TB, cfg Config, connect func(context.Context, Config) (net.Conn, error)) (*Conduit, *logBuffer) {
	tb.Helper()
	log := &logBuffer{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if cfg.Instance == "" {
		cfg.Instance = "test0001"
	}
	cfg.Name = "far"
	c, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	c.pool.dialer.connect = connect
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
		if tb.Failed() {
			tb.Logf("log of the conduit:\n%s", log)
		}
	})
	return c, log
}

func (f *far) ready(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := f.WaitReady(ctx); err != nil {
		tb.Fatal(err)
	}
}

func sshdConfig(s *sshdtest.Server) Config {
	return Config{
		Address: s.Addr, User: s.User, Identity: s.Identity, KnownHosts: s.KnownHosts, Root: s.Root,
		DialTimeout: patience, RequestTimeout: patience, KeepAlive: patience,
	}
}

// overSSHD is a conduit to OpenSSH.
func overSSHD(tb testing.TB, change func(*Config)) *far {
	tb.Helper()
	s := sshdtest.Start(tb)
	cfg := sshdConfig(s)
	if change != nil {
		change(&cfg)
	}
	c, log := run(tb, cfg)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of sshd:\n%s", s.Log())
		}
	})
	f := &far{Conduit: c, root: cfg.Root, log: log, sshd: s}
	f.ready(tb)
	return f
}

// overEmbedded is a conduit to the embedded server, which has no fsync and no limits.
func overEmbedded(tb testing.TB) *far { return overEmbeddedBy(tb, connectTCP) }

// overEmbeddedBy reaches it in another way.
func overEmbeddedBy(tb testing.TB, connect func(context.Context, Config) (net.Conn, error)) *far {
	tb.Helper()
	dir := tb.TempDir()
	root := filepath.Join(dir, "srv")
	if err := os.MkdirAll(filepath.Join(root, "in"), 0o755); err != nil {
		tb.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	authorized, err := sftpserver.NewClientKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := sftpserver.Start(context.Background(), sftpserver.Options{Dir: root, User: "ftpgw", AuthorizedKey: authorized})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close server: %v", err)
		}
	})
	c, log := runBy(tb, Config{Address: s.Addr(), User: "ftpgw", Identity: key, HostKey: s.HostKeyLine(), Root: "/in"}, connect)
	f := &far{Conduit: c, root: filepath.Join(root, "in"), log: log}
	f.ready(tb)
	return f
}

// overBoth runs a test over each kind of server.
func overBoth(t *testing.T, test func(t *testing.T, f *far)) {
	t.Run("openssh", func(t *testing.T) { test(t, overSSHD(t, nil)) })
	t.Run("embedded", func(t *testing.T) { test(t, overEmbedded(t)) })
}

// at is a Location in the home "/dev".
func at(p string) gateway.Location { return gateway.Location{Home: "/dev", Path: p} }

// local is the path on this machine of a path in the home.
func (f *far) local(p string) string { return filepath.Join(f.root, "dev", p) }

// home makes the home, so that a test can put things there.
func (f *far) home(tb testing.TB) {
	tb.Helper()
	if err := os.MkdirAll(f.local("/"), 0o755); err != nil {
		tb.Fatal(err)
	}
}

func (f *far) put(tb testing.TB, p string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(f.local(p)), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(f.local(p), data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

func (f *far) begin(tb testing.TB, p string) gateway.Upload {
	tb.Helper()
	u, err := f.Begin(tb.Context(), gateway.Target{Location: at(p)})
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// upload uploads data in one go.
func (f *far) upload(ctx context.Context, t gateway.Target, data []byte) (gateway.Receipt, error) {
	u, err := f.Begin(ctx, t)
	if err != nil {
		return gateway.Receipt{}, err
	}
	if _, err := u.ReadFrom(onlyReader{bytes.NewReader(data)}); err != nil {
		u.Abort(err)
		return gateway.Receipt{}, err
	}
	r, err := u.Commit(ctx, gateway.Terms{})
	u.Abort(err)
	return r, err
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

func (f *far) download(ctx context.Context, p string, offset int64) ([]byte, error) {
	d, err := f.Open(ctx, at(p), offset)
	if err != nil {
		return nil, err
	}
	var got bytes.Buffer
	_, err = d.WriteTo(&got)
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return got.Bytes(), err
}

// wantFiles compares the names below the home, temporary files included.
func (f *far) wantFiles(tb testing.TB, want ...string) {
	tb.Helper()
	got := f.files(tb)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		tb.Errorf("files: %q, want %q", got, want)
	}
}

func (f *far) files(tb testing.TB) (got []string) {
	tb.Helper()
	err := filepath.WalkDir(f.local("/"), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(p, f.local("/")+"/"))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return got
}

// eventually waits until what is asked for is true.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			tb.Fatalf("in vain waited for: %s", what)
		}
	}
}

// noise is n bytes that are the same in each run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b) // it never fails
	return b
}
