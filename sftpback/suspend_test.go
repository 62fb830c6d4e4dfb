// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// A conduit that is suspended has no connection, makes none, and says at once that there is none. Then it is as before.
func TestSuspend(t *testing.T) {
	var st states
	f := overSSHD(t, func(cfg *Config) { cfg.OnState = st.tell })
	f.home(t)
	u := f.begin(t, "/x")
	if _, err := u.Write(noise(3 << 20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.pool.mu.Lock()
	if n := len(f.pool.links); n > 0 || f.pool.busy > 0 {
		t.Errorf("%d connections, %d attempts when Suspend has returned", n, f.pool.busy)
	}
	f.pool.mu.Unlock()
	if _, err := u.Commit(t.Context(), gateway.Terms{}); !gateway.IsTemporary(err) {
		t.Errorf("Commit: %v", err)
	}
	if err := f.Available(t.Context(), gateway.Requirements{}); !gateway.IsTemporary(err) || !errors.Is(err, errSuspended) {
		t.Errorf("Available: %v", err)
	}
	if err := f.Suspend(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
	f.Resume()
	f.Resume()
	if err := f.Available(t.Context(), gateway.Requirements{}); err != nil {
		t.Errorf("Available after Resume: %v", err) // it waits for the attempt
	}
	eventually(t, "the hidden file to be removed", func() bool { return len(f.files(t)) == 0 })
	eventually(t, "the states", func() bool { return st.String() == "up down up" })
}

// A conduit that is suspended before it runs dials nobody; an attempt that is under way is broken off.
func TestSuspendedBeforeTheFirstConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dialled := make(chan net.Conn)
	go func() {
		defer close(dialled)
		for {
			conn, err := l.Accept() // and says nothing, so that the attempt hangs
			if err != nil {
				return
			}
			dialled <- conn
		}
	}()
	identity := filepath.Join(t.TempDir(), "id")
	line, err := sftpserver.NewClientKey(identity)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{
		Name: "far", Address: l.Addr().String(), User: "u", Identity: identity, HostKey: line, Root: "/", Connections: 1,
		Instance: "test0001", DialTimeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	if err := c.Available(t.Context(), gateway.Requirements{}); !errors.Is(err, errSuspended) {
		t.Errorf("Available: %v", err)
	}
	select {
	case <-dialled:
		t.Error("it was dialled")
	default:
	}
	c.Resume()
	conn := <-dialled
	if err := c.Suspend(t.Context()); err != nil { // does not wait for the end of DialTimeout
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1<<10)); err == nil {
		if _, err := conn.Read(make([]byte, 1<<10)); err == nil {
			t.Error("the attempt goes on")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := errors.Join(conn.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	for range dialled {
		t.Error("it was dialled once more")
	}
}
