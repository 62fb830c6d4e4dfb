// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
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

// It can be suspended at every request of a transfer. Nothing of what was under way holds that up, and nothing is left of it.
func TestSuspendAtEachRequest(t *testing.T) {
	ordered := sftpfault.Options{Ordered: true}
	target := gateway.Target{Location: at("/dir/x")}
	var all []task
	for name, transfer := range map[string]func(t *testing.T, f *far) error{
		"upload": func(t *testing.T, f *far) error { return second(f.upload(t.Context(), target, noise(3*faultPacket))) },
		"download": func(t *testing.T, f *far) error {
			return second(f.download(t.Context(), "/dir/first", 0))
		},
	} {
		prepare := func(t *testing.T, f *far) {
			if _, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/first")}, noise(3*faultPacket)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Stat(t.Context(), at("/dir/first")); err != nil {
				t.Fatal(err)
			}
		}
		var trace []sftpfault.Request
		t.Run(name, func(t *testing.T) {
			f, s := overFaulty(t, ordered, nil)
			f.put(t, "/dir/old", nil)
			prepare(t, f)
			s.Trace()
			if err := transfer(t, f); err != nil {
				t.Fatal(err)
			}
			trace = s.Trace()
		})
		count := map[sftpfault.Op]int{}
		for _, r := range trace {
			count[r.Op]++
			if name == "download" && r.Op == sftpfault.Close {
				continue // it is not waited for
			}
			fault := sftpfault.Fault{Op: r.Op, Nth: count[r.Op], Kind: sftpfault.Hold}
			all = append(all, task{fmt.Sprintf("%s, %s %d", name, fault.Op, fault.Nth), func(t *testing.T) {
				f, s := overFaulty(t, ordered, nil)
				f.put(t, "/dir/old", nil)
				prepare(t, f)
				held := s.Arm(fault)
				done := make(chan error)
				go func() { done <- transfer(t, f) }()
				<-held.Struck()
				if err := f.Suspend(t.Context()); err != nil {
					t.Error(err)
				}
				if err := <-done; !gateway.IsTemporary(err) && fault.Op != sftpfault.Close {
					t.Errorf("%s: %v", name, err)
				}
				held.Release()
				f.Resume()
				eventually(t, "no temporary to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
				if err := transfer(t, f); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}})
		}
	}
	sideBySide(t, all)
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
