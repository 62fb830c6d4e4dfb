// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// Where two servers stand behind one address, of which only one is known to work on one request after another, a file is written through
// that one alone: the other could flush before it has written.
func TestLanesOfOrderedServersOnly(t *testing.T) {
	dir := t.TempDir()
	root, key := filepath.Join(dir, "srv"), filepath.Join(dir, "key")
	if err := os.MkdirAll(filepath.Join(root, "in", "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	authorized, err := sftpserver.NewClientKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var servers []*sftpfault.Server
	hosts := ""
	for _, ordered := range []bool{true, false} {
		s, err := sftpfault.Start(context.Background(), sftpfault.Options{
			Dir: root, User: "ftpgw", AuthorizedKey: authorized, Packet: faultPacket, Ordered: ordered,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close server: %v", err)
			}
		})
		servers = append(servers, s)
		hosts += fmt.Sprintf("far.example %s\n", s.HostKeyLine())
	}
	if err := os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	var dialled atomic.Int32
	c, log := runBy(t, Config{
		Address: "far.example:22", User: "ftpgw", Identity: key, KnownHosts: filepath.Join(dir, "known_hosts"), Root: "/in", Connections: 2,
		DialTimeout: patience, RequestTimeout: patience, KeepAlive: patience,
	}, func(ctx context.Context, cfg Config) (net.Conn, error) {
		cfg.Address = servers[min(dialled.Add(1), 2)-1].Addr() // the first connection is to the ordered one
		return connectTCP(ctx, cfg)
	})
	f := &far{Conduit: c, root: filepath.Join(root, "in"), log: log}
	f.ready(t)
	eventually(t, "both servers", func() bool {
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		for _, l := range f.pool.links {
			l.full = true // one channel each
		}
		return len(f.pool.links) == 2
	})
	f.far = 0
	data := noise(laneAfter + 4*faultPacket)
	for lanes := 0; lanes == 0; {
		u := f.begin(t, "/x").(*upload)
		if _, err := u.Write(data); err != nil {
			t.Fatal(err)
		}
		if u.ch.ordered() { // the other one takes no second channel for itself
			lanes = len(u.lanes)
		}
		for _, l := range u.lanes[1:] {
			t.Errorf("written through %s, too", l.ch.link.client.ServerVersion())
		}
		if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
			t.Fatal(err)
		}
	}
	checkFinal(t, f, nil, "", data)
}
