// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// While an upload runs its final name does not exist, neither on the server nor for devices; when it is complete, it does, and
// nothing else.
func TestNothingUnderTheFinalNameBeforeCommit(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f, other := g.login(0), g.login(0)
	data := content(t, 2<<20, 1)
	conn := f.data("STOR /event.dat")
	write(t, conn, data[:1<<20])
	g.waitTemp(0)
	if _, err := os.Lstat(filepath.Join(g.home(0), "event.dat")); !os.IsNotExist(err) {
		t.Errorf("the final name exists while the upload runs: %v", err)
	}
	other.expect(550, "SIZE /event.dat")
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		listing := other.get("%s", verb)
		if strings.Contains(string(listing), "event.dat") || strings.Contains(string(listing), ".ftpgw-") {
			t.Errorf("%s while the upload runs:\n%s", verb, listing)
		}
	}
	write(t, conn, data[1<<20:])
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	if files := filesBelow(t, g.server.Root); len(files) != 1 || files[0] != "relay/event.dat" {
		t.Errorf("on the server: %q", files)
	}
}

// However an upload is broken off, nothing of it remains, a file that stood there before is untouched, and it is on record.
func TestNothingAfterAnAbortedUpload(t *testing.T) {
	t.Parallel()
	ways := map[string]func(t *testing.T, f *ftp, data net.Conn){
		"data connection reset": func(t *testing.T, f *ftp, data net.Conn) {
			reset(t, data)
			if r := f.read(); r.code/100 != 4 {
				t.Errorf("the final reply is %v, want 4yz", r)
			}
			f.expect(200, "NOOP") // the session goes on
		},
		"device crashed": func(t *testing.T, f *ftp, data net.Conn) {
			reset(t, f.conn)
			reset(t, data)
		},
		"control connection reset": func(t *testing.T, f *ftp, data net.Conn) { reset(t, f.conn) },
		"control connection closed first": func(t *testing.T, f *ftp, data net.Conn) {
			_ = f.conn.Close()
			// The gateway ends the data connection: only then is it clear that it has seen the other one go.
			if _, err := data.Read(make([]byte, 1)); err == nil {
				t.Error("the gateway sent data")
			}
		},
		"ABOR": func(t *testing.T, f *ftp, data net.Conn) {
			f.expectReply("STOR", f.cmd("ABOR"), 426)
			f.expectReply("ABOR", f.read(), 226)
			f.expect(200, "NOOP")
		},
	}
	for name, breakOff := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{})
			f := g.login(0)
			f.put("/old.dat", []byte("old"))
			for _, path := range []string{"/old.dat", "/new/name.dat"} {
				if path == "/new/name.dat" {
					f = g.login(0)
					f.expect(257, "MKD /new")
				}
				conn := f.data("STOR %s", path)
				write(t, conn, content(t, 1<<20, 1))
				eventually(t, "the temporary file appears", func() bool { return len(filesBelow(t, g.server.Root)) == 2 })
				breakOff(t, f, conn)
				eventually(t, "nothing is left of the upload", func() bool { return len(filesBelow(t, g.server.Root)) == 1 })
			}
			if got, err := os.ReadFile(filepath.Join(g.home(0), "old.dat")); err != nil || string(got) != "old" {
				t.Errorf("the file from before: %q, %v", got, err)
			}
			committed, aborted := 0, 0
			for _, r := range g.records() {
				switch r.Event {
				case audit.TransferCommitted:
					committed++
				case audit.TransferAborted:
					aborted++
					if r.Cause == "" {
						t.Errorf("aborted without a cause: %+v", r)
					}
				}
			}
			if committed != 1 || aborted != 2 {
				t.Errorf("on record: %d committed, %d aborted; want 1 and 2", committed, aborted)
			}
		})
	}
}

// A client is killed in mid-upload. Its kernel closes both connections in an orderly way, which must not pass for a whole file.
func TestNothingAfterAKilledClient(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	g := startGateway(t, setup{})
	for range 5 {
		e := errandFor(t, g, 0, "event.dat", 64<<20)
		s := curl(e, "epsv")[0]
		args := append([]string{"--limit-rate", "8M"}, s.args[1:]...)
		cmd := exec.Command(s.args[0], args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		g.waitTemp(0)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		eventually(t, "the temporary file is gone", func() bool {
			for _, name := range filesBelow(t, g.server.Root) {
				if strings.Contains(name, ".ftpgw-") {
					return false
				}
			}
			return true
		})
		if files := filesBelow(t, g.server.Root); len(files) > 0 {
			t.Fatalf("on the server: %q, a part of a file under its final name", files)
		}
	}
	if aborted := g.recordsOf(audit.TransferAborted); len(aborted) != 5 {
		t.Errorf("%d aborted transfers on record, want 5", len(aborted))
	}
}
