// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// states records OnState.
type states struct {
	mu  sync.Mutex
	all []string
}

func (s *states) tell(up bool, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case up && cause == nil:
		s.all = append(s.all, "up")
	case !up && cause != nil:
		s.all = append(s.all, "down")
	default:
		s.all = append(s.all, "nonsense")
	}
}

func (s *states) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.all, " ")
}

// A server that dies takes the transfers with it, says so at once, leaves nothing, and is used again when it is back.
func TestKillAndRestart(t *testing.T) {
	var st states
	f := overSSHD(t, func(cfg *Config) { cfg.OnState = st.tell })
	f.home(t)
	big := f.begin(t, "/big")
	if _, err := big.Write(noise(3 << 20)); err != nil {
		t.Fatal(err)
	}
	small := f.begin(t, "/small")
	if _, err := small.Write(noise(10)); err != nil {
		t.Fatal(err)
	}
	f.sshd.Kill()
	for name, u := range map[string]gateway.Upload{"big": big, "small": small} {
		if _, err := u.Commit(t.Context(), gateway.Terms{}); !gateway.IsTemporary(err) {
			t.Errorf("%s: Commit: %v", name, err)
		}
	}
	eventually(t, "a failed attempt", func() bool { // one for another connection says nothing while this one is not known to be lost
		err := f.Available(t.Context(), gateway.Requirements{})
		return gateway.IsTemporary(err) && errors.Is(err, syscall.ECONNREFUSED)
	})
	if _, err := f.Stat(t.Context(), at("/")); !gateway.IsTemporary(err) {
		t.Errorf("Stat: %v", err)
	}
	if n := len(f.files(t)); n != 2 {
		t.Errorf("%d files, want the two hidden ones that nobody can remove", n)
	}
	f.sshd.Restart()
	eventually(t, "the conduit to be up", func() bool { return f.Available(t.Context(), gateway.Requirements{}) == nil })
	eventually(t, "the hidden files to be removed", func() bool { return len(f.files(t)) == 0 })
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/again")}, noise(1000)); err != nil {
		t.Error(err)
	}
	eventually(t, "the states", func() bool { return st.String() == "up down up" })
}

func TestAbortAfterKill(t *testing.T) {
	f := overSSHD(t, nil)
	u := f.begin(t, "/x")
	if _, err := u.Write(noise(3 << 20)); err != nil {
		t.Fatal(err)
	}
	f.sshd.Kill()
	u.Abort(errors.New("the device went away, too"))
	f.sshd.Restart()
	eventually(t, "the hidden file to be removed", func() bool { return len(f.files(t)) == 0 })
}

// One SFTP process that dies fails the transfers on it, and no others.
func TestSessionDies(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) { cfg.Connections = 1 })
	first := f.begin(t, "/first")
	eventually(t, "a second channel", func() bool {
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		return len(f.pool.links) == 1 && len(f.pool.links[0].working()) >= 2
	})
	second := f.begin(t, "/second")
	if first.(*upload).ch == second.(*upload).ch {
		t.Fatal("an idle channel was not used")
	}
	// Which process serves which channel cannot be seen, so one is killed and one of the uploads must survive.
	if err := syscall.Kill(f.sshd.Sessions()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the session", func() bool { return strings.Contains(f.sshd.Log(), "Close session") })
	failed := 0
	for _, u := range []gateway.Upload{first, second} {
		if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
			failed++
			if !gateway.IsTemporary(err) {
				t.Error(err)
			}
		}
	}
	if failed > 1 {
		t.Errorf("%d uploads failed", failed)
	}
	eventually(t, "the rest to be removed", func() bool { return len(f.files(t)) == 2-failed })
}

// A server that stops answering fails what waits for it within RequestTimeout, and heals.
func TestSilence(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) {
		cfg.RequestTimeout = 300 * time.Millisecond
		cfg.DialTimeout = 500 * time.Millisecond
	})
	f.put(t, "/big", noise(16<<20))
	d, err := f.Open(t.Context(), at("/big"), 0)
	if err != nil {
		t.Fatal(err)
	}
	u := f.begin(t, "/x")
	f.sshd.Pause()
	if _, err := f.Stat(t.Context(), at("/x")); !gateway.IsTemporary(err) || !strings.Contains(err.Error(), "no answer to") {
		t.Errorf("Stat: %v", err)
	}
	if _, err := d.WriteTo(new(bytes.Buffer)); !gateway.IsTemporary(err) {
		t.Errorf("WriteTo: %v", err)
	}
	if err := d.Close(); err != nil && !gateway.IsTemporary(err) {
		t.Errorf("Close: %v", err)
	}
	_, err = u.ReadFrom(onlyReader{bytes.NewReader(noise(8 << 20))})
	if err == nil {
		_, err = u.Commit(t.Context(), gateway.Terms{})
	}
	if !gateway.IsTemporary(err) {
		t.Errorf("upload: %v", err)
	}
	u.Abort(err)
	f.sshd.Resume()
	eventually(t, "the conduit to be up", func() bool { _, err := f.Stat(t.Context(), at("/")); return err == nil })
	eventually(t, "the hidden file to be removed", func() bool { return len(f.files(t)) == 1 })
}

// A connection that nobody uses is watched as well.
func TestKeepAlive(t *testing.T) {
	var st states
	f := overSSHD(t, func(cfg *Config) {
		cfg.KeepAlive = 100 * time.Millisecond
		cfg.DialTimeout = 500 * time.Millisecond
		cfg.OnState = st.tell
	})
	f.sshd.Pause() // on a busy machine the answer may have been late before
	eventually(t, "the loss to be noticed", func() bool { return strings.HasSuffix(st.String(), "down") })
	f.sshd.Resume()
	eventually(t, "the conduit to be up", func() bool { return strings.HasSuffix(st.String(), "up") })
	if !strings.Contains(f.log.String(), "no answer to keepalive") {
		t.Error("the log does not say why")
	}
}

// Cancelling one caller does not disturb the connection that the others use.
func TestCancelledCaller(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) { cfg.Connections = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"stat":  func() error { _, err := f.Stat(ctx, at("/")); return err },
		"open":  func() error { _, err := f.Open(ctx, at("/x"), 0); return err },
		"begin": func() error { _, err := f.Begin(ctx, gateway.Target{Location: at("/x")}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(f.log.String(), "lost") {
		t.Error("the connection was lost")
	}
	f.wantFiles(t)
}

// A conduit that is down at the start says so, and heals.
func TestDownAtStart(t *testing.T) {
	s := sshdtest.Start(t)
	s.Kill()
	var st states
	cfg := sshdConfig(s)
	cfg.OnState = st.tell
	c, log := run(t, cfg)
	if err := c.WaitReady(t.Context()); !gateway.IsTemporary(err) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("WaitReady: %v", err)
	}
	for range 5 {
		if _, err := c.Begin(t.Context(), gateway.Target{Location: at("/x")}); !gateway.IsTemporary(err) {
			t.Errorf("Begin: %v", err)
		}
	}
	s.Restart()
	eventually(t, "the conduit to be up", func() bool { return c.Available(t.Context(), gateway.Requirements{}) == nil })
	eventually(t, "the states", func() bool { return st.String() == "down up" })
	if n := strings.Count(log.String(), "cannot connect"); n != 1 {
		t.Errorf("the same failure was logged %d times", n)
	}
}

func TestRunOnce(t *testing.T) {
	s := sshdtest.Start(t)
	cfg := sshdConfig(s)
	cfg.Name, cfg.Instance = "far", "test0001"
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := c.Run(t.Context()); err == nil {
		t.Error("a second Run succeeds")
	}
	if _, err := c.Stat(t.Context(), at("/")); !gateway.IsTemporary(err) || !errors.Is(err, errStopped) {
		t.Errorf("Stat after Run: %v", err)
	}
}

// A server with another key than the pinned one does not even learn the user's name.
func TestChangedHostKey(t *testing.T) {
	s := sshdtest.Start(t)
	s.ChangeHostKey()
	s.Restart()
	cfg := sshdConfig(s)
	c, log := run(t, cfg)
	err := c.WaitReady(t.Context())
	var key *HostKeyError
	if !errors.As(err, &key) || !gateway.IsTemporary(err) || len(key.Pinned) != 1 || key.Offered == key.Pinned[0] {
		t.Errorf("WaitReady: %v", err)
	}
	if _, err := c.Begin(t.Context(), gateway.Target{Location: at("/x")}); !errors.As(err, &key) {
		t.Errorf("Begin: %v", err)
	}
	eventually(t, "the end of the connection", func() bool {
		return strings.Contains(s.Log(), "closed by") || strings.Contains(s.Log(), "Connection reset")
	})
	for _, sign := range []string{"Accepted", "Postponed", "Failed", "user " + cfg.User} {
		if strings.Contains(s.Log(), sign) {
			t.Errorf("sshd has seen %q:\n%s", sign, s.Log())
		}
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Error("it was not logged as an error")
	}
}

// The same with a server that counts every kind of attempt to authenticate.
func TestNoAuthenticationBeforeHostKey(t *testing.T) {
	dir := t.TempDir()
	identity := dir + "/id"
	if _, err := sftpserver.NewClientKey(identity); err != nil {
		t.Fatal(err)
	}
	pinned, err := sftpserver.NewClientKey(dir + "/pinned")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sftpserver.NewClientKey(dir + "/other"); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(dir + "/other")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	var attempts, handshakes atomic.Int32
	server := &ssh.ServerConfig{
		NoClientAuth:         true,
		NoClientAuthCallback: func(ssh.ConnMetadata) (*ssh.Permissions, error) { attempts.Add(1); return nil, nil },
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			attempts.Add(1)
			return nil, nil
		},
	}
	server.AddHostKey(other)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handshakes.Add(1)
			if _, _, _, err := ssh.NewServerConn(c, server); err == nil {
				t.Error("the handshake succeeded")
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	c, _ := run(t, Config{Address: l.Addr().String(), User: "u", Identity: identity, HostKey: pinned, Root: "/"})
	var key *HostKeyError
	if err := c.WaitReady(t.Context()); !errors.As(err, &key) {
		t.Errorf("WaitReady: %v", err)
	}
	eventually(t, "several attempts", func() bool { return handshakes.Load() >= 3 })
	if n := attempts.Load(); n != 0 {
		t.Errorf("%d attempts to authenticate", n)
	}
}

func TestWrongIdentity(t *testing.T) {
	s := sshdtest.Start(t)
	cfg := sshdConfig(s)
	cfg.Identity = t.TempDir() + "/id"
	if _, err := sftpserver.NewClientKey(cfg.Identity); err != nil {
		t.Fatal(err)
	}
	c, log := run(t, cfg)
	if err := c.WaitReady(t.Context()); !gateway.IsTemporary(err) || !strings.Contains(err.Error(), "authenticate") {
		t.Errorf("WaitReady: %v", err)
	}
	eventually(t, "several attempts", func() bool { return strings.Count(s.Log(), "Connection from") >= 3 })
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A server that allows one session per connection is used as it is.
func TestOneSessionPerConnection(t *testing.T) {
	s := sshdtest.Start(t, "MaxSessions 1")
	cfg := sshdConfig(s)
	c, log := run(t, cfg)
	f := &far{Conduit: c, root: cfg.Root, log: log, sshd: s}
	f.ready(t)
	var wg sync.WaitGroup
	for _, p := range strings.Fields("/a /b /c /d /e /f") {
		wg.Go(func() {
			if _, err := f.upload(t.Context(), gateway.Target{Location: at(p)}, noise(1<<20)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.wantFiles(t, "a", "b", "c", "d", "e", "f")
}

// A channel that was given up may stay open for ever, for all that the server does about it. Another one is opened then, or, where there
// can be no more, another connection made.
func TestChannelsAreGivenUp(t *testing.T) {
	for name, full := range map[string]bool{"there can be another": false, "there can be no more": true} {
		t.Run(name, func(t *testing.T) {
			f, _ := overFaulty(t, sftpfault.Options{Ordered: true}, nil)
			if _, err := f.ReadDir(t.Context(), at("/")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the channels to be open", func() bool {
				f.pool.mu.Lock()
				defer f.pool.mu.Unlock()
				l := f.pool.links[0]
				if l.opening {
					return false
				}
				l.full = full
				for _, ch := range l.working() {
					ch.dead.Store(true)
				}
				return true
			})
			if _, err := f.ReadDir(t.Context(), at("/")); err != nil {
				t.Error(err)
			}
		})
	}
}
