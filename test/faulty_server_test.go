// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// faultPacket is the most data in one write or read, so that a small file takes several.
const faultPacket = 4 << 10

// startFaultyServer runs a server that breaks on command. Its paths are those of this machine, as
// sshd's are. It does not offer the extensions named.
func startFaultyServer(t *testing.T, without ...sftpfault.Op) (*sftpfault.Server, *sshdtest.Server) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := &sshdtest.Server{User: me.Username, Root: filepath.Join(dir, "root"), Identity: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known_hosts")}
	if err := os.MkdirAll(filepath.Join(at.Root, "relay"), 0o755); err != nil { // with the home of the fixture's device
		t.Fatal(err)
	}
	authorized, err := sftpserver.NewClientKey(at.Identity)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sftpfault.Start(context.Background(), sftpfault.Options{
		Dir: "/", User: at.User, AuthorizedKey: authorized, Packet: faultPacket, Without: without,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	at.Addr = s.Addr()
	if err := os.WriteFile(at.KnownHosts, []byte(s.KnownHostsLine()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, at
}

// settleDown returns when the gateway's sweep is over, so that the next requests are those of the test.
func settleDown(t *testing.T, s *sftpfault.Server) {
	t.Helper()
	swept := false
	eventually(t, "the sweep", func() bool {
		for _, r := range s.Trace() {
			swept = swept || r.Op == sftpfault.Close // of the home, which is all that there is to sweep
		}
		return swept
	})
}

// faultsOf are the ways to break each request of a transfer that has just gone well.
func faultsOf(trace []sftpfault.Request, kind sftpfault.Kind) []sftpfault.Fault {
	var all []sftpfault.Fault
	count := map[sftpfault.Op]int{}
	for _, r := range trace {
		count[r.Op]++
		for _, done := range []bool{false, true} {
			all = append(all, sftpfault.Fault{Op: r.Op, Nth: count[r.Op], Kind: kind, Done: done})
		}
	}
	return all
}

// Every request of an upload is broken, twice: not done, and done all the same. The device is told 226 if and only if the new file is
// there, 4yz otherwise; what stood there before is whole; no temporary is left; the record says the same as the reply.
func TestUploadOverABrokenServer(t *testing.T) {
	t.Parallel()
	for _, kind := range []sftpfault.Kind{sftpfault.Fail, sftpfault.Cut, sftpfault.Hang} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, at := startFaultyServer(t)
			g := startGateway(t, setup{server: at, conduit: `request_timeout = "500ms"`})
			settleDown(t, s)
			f := g.login(0)
			data := pattern3(3*faultPacket + 1)
			f.put("/first", data)
			codes := map[string]int{}
			for i, fault := range faultsOf(s.Trace(), kind) {
				name := fmt.Sprintf("/%03d-%s-%d-%v", i, fault.Op, fault.Nth, fault.Done)
				codes[name] = uploadBroken(t, g, s, f, fault, name, data)
			}
			s.Disarm()
			eventually(t, "no temporary is left", func() bool {
				return !strings.Contains(strings.Join(filesBelow(t, g.home(0)), " "), ".ftpgw-")
			})
			wantOutcomes(t, g, codes)
		})
	}
}

// uploadBroken uploads over an old file while one request breaks, and compares the reply with what stands there afterwards.
func uploadBroken(t *testing.T, g *gw, s *sftpfault.Server, f *ftp, fault sftpfault.Fault, name string, data []byte) int {
	t.Helper()
	eventually(t, "an upload works again", func() bool { return f.store("/between", bytes.NewReader(data)).code == 226 })
	file := filepath.Join(g.home(0), name)
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	armed := s.Arm(fault)
	r := f.store(name, bytes.NewReader(data))
	select {
	case <-armed.Struck():
	default:
		// On a busy machine even a good server can seem to hang, and then the upload has failed before.
		if r.code == 226 || fault.Kind != sftpfault.Hang {
			t.Errorf("%s: %v, and the fault has not struck", name, r)
		}
	}
	s.Disarm()
	got, err := os.ReadFile(file)
	switch {
	case err != nil:
		t.Errorf("%s: %v, and the old file is gone: %v", name, r, err)
	case r.code == 226 && !bytes.Equal(got, data):
		t.Errorf("%s: %v, and there are %d bytes", name, r, len(got))
	case r.code/100 == 4 && string(got) != "old" && !bytes.Equal(got, data):
		t.Errorf("%s: %v, and there is neither the old nor the new file", name, r)
	case r.code != 226 && r.code/100 != 4:
		t.Errorf("%s: %v, want 226 or 4yz", name, r)
	}
	return r.code
}

// wantOutcomes compares the records of transfers with the replies that their devices got.
func wantOutcomes(t *testing.T, g *gw, codes map[string]int) {
	t.Helper()
	committed, aborted := map[string]int{}, map[string]int{}
	for _, r := range g.records() {
		if r.Event == audit.TransferCommitted {
			committed[r.Path]++
		}
		if r.Event == audit.TransferAborted {
			aborted[r.Path]++
			if r.Cause == "" {
				t.Errorf("%s is aborted on record without a cause", r.Path)
			}
		}
	}
	ok := 0
	for name, code := range codes {
		if code == 226 {
			ok++
		}
		if (committed[name] == 1) != (code == 226) || committed[name]+aborted[name] > 1 || code == 226 && aborted[name] > 0 {
			t.Errorf("%s: the reply was %d; on record are %d committed, %d aborted", name, code, committed[name], aborted[name])
		}
	}
	t.Logf("%d transfers, %d of them 226", len(codes), ok)
}

// Every request of a download is broken: the device gets 226 with the whole file, or 4yz.
func TestDownloadOverABrokenServer(t *testing.T) {
	t.Parallel()
	for _, kind := range []sftpfault.Kind{sftpfault.Fail, sftpfault.Cut, sftpfault.Hang} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, at := startFaultyServer(t)
			g := startGateway(t, setup{server: at, conduit: `request_timeout = "500ms"`})
			settleDown(t, s)
			f := g.login(0)
			data := pattern3(3*faultPacket + 1)
			if err := os.WriteFile(filepath.Join(g.home(0), "file"), data, 0o640); err != nil {
				t.Fatal(err)
			}
			if got, r := retrieve(f, "/file"); r.code != 226 || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes, %v", len(got), r)
			}
			for _, fault := range faultsOf(s.Trace(), kind) {
				eventually(t, "a download works again", func() bool { _, r := retrieve(f, "/file"); return r.code == 226 })
				s.Arm(fault)
				got, r := retrieve(f, "/file")
				s.Disarm()
				if r.code == 226 && !bytes.Equal(got, data) || r.code != 226 && r.code/100 != 4 {
					t.Errorf("%+v: %v with %d of %d bytes", fault, r, len(got), len(data))
				}
			}
		})
	}
}

// retrieve returns what came, and the final reply.
func retrieve(f *ftp, name string) ([]byte, reply) {
	f.t.Helper()
	conn, r := f.tryData("RETR %s", name)
	if conn == nil {
		return nil, r
	}
	got, _ := io.ReadAll(conn) // a reset says that it broke off
	_ = conn.Close()
	return got, f.read()
}

// pattern3 is n bytes that differ from packet to packet.
func pattern3(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}
