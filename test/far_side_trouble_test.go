// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// onSmallDisk makes the server's root a file system of a few megabytes.
func onSmallDisk(t *testing.T, s *sshdtest.Server) {
	t.Helper()
	if err := syscall.Mount("tmpfs", s.Root, "tmpfs", 0, "size=4m,mode=755"); err != nil {
		cannot(t, "mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.Root, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// The server's disk is full: 452, the old file whole, nothing left behind; and when there is room again it works.
func TestServerDiskFull(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	onSmallDisk(t, s)
	g := startGateway(t, setup{server: s})
	f := g.login(0)
	f.put("/old", []byte("old"))
	for _, name := range []string{"/old", "/new"} {
		if r := f.store(name, bytes.NewReader(content(t, 8<<20, 1))); r.code != 452 {
			t.Errorf("STOR %s to a full disk: %v, want 452", name, r)
		}
		wantOnly(t, g, "old", "old")
	}
	f.put("/old", []byte("new"))
	wantOnly(t, g, "old", "new")
	// Full before the upload begins.
	if err := os.WriteFile(filepath.Join(s.Root, "filler"), make([]byte, 4<<20), 0o600); err == nil {
		t.Error("the filler has found room")
	}
	for _, size := range []int{1, 100_000} {
		if r := f.store("/old", bytes.NewReader(make([]byte, size))); r.code != 452 {
			t.Errorf("STOR of %d bytes to a full disk: %v, want 452", size, r)
		}
	}
	if err := os.Remove(filepath.Join(s.Root, "filler")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, g, "old", "new")
	if aborted := g.recordsOf(audit.TransferAborted); len(aborted) != 4 || !strings.Contains(aborted[0].Cause, "no space left") {
		t.Errorf("aborted on record: %+v", aborted)
	}
}

// wantOnly compares the one file of the first device with what it should be.
func wantOnly(t *testing.T, g *gw, name, content string) {
	t.Helper()
	eventually(t, "nothing but the file itself is there", func() bool { return len(filesBelow(t, g.home(0))) == 1 })
	if got, err := os.ReadFile(filepath.Join(g.home(0), name)); err != nil || string(got) != content {
		t.Errorf("%s: %q, %v; want %q", name, got, err, content)
	}
}

// The server's disk has become read-only, as file systems do when a disk fails: 4yz, since somebody will put it right.
func TestServerReadOnly(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	onSmallDisk(t, s)
	g := startGateway(t, setup{server: s})
	f := g.login(0)
	f.put("/old", []byte("old"))
	if err := syscall.Mount("", s.Root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/old", "/new"} {
		if r := f.store(name, strings.NewReader("new")); r.code/100 != 4 {
			t.Errorf("STOR %s: %v, want 4yz", name, r)
		}
	}
	wantOnly(t, g, "old", "old")
	if err := syscall.Mount("", s.Root, "", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	f.put("/old", []byte("new"))
	aborted := g.recordsOf(audit.TransferAborted)
	if len(aborted) != 2 || !strings.Contains(aborted[0].Cause, "read-only") {
		t.Errorf("aborted on record: %+v", aborted)
	}
}

// The directory goes away under an upload.
func TestDirectoryVanishes(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.expect(257, "MKD /dir")
	conn := f.data("STOR /dir/file")
	write(t, conn, content(t, 1<<20, 1))
	g.waitTemp(0)
	if err := os.RemoveAll(filepath.Join(g.home(0), "dir")); err != nil {
		t.Fatal(err)
	}
	write(t, conn, content(t, 1<<20, 2))
	_ = conn.Close()
	if r := f.read(); r.code != 550 {
		t.Errorf("the final reply is %v, want 550: there is no such directory", r)
	}
	if files := filesBelow(t, g.server.Root); len(files) > 0 {
		t.Errorf("on the server: %q", files)
	}
}

// A server that is stopped in the middle of an upload, between two, or while it is asked for something else is given up after
// request_timeout: 4yz, the session goes on, and nothing is published.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{conduit: `request_timeout = "1s"`})
	f := g.login(0)
	f.put("/old", []byte("old"))
	conn := f.data("STOR /old")
	write(t, conn, content(t, 2<<20, 1))
	eventually(t, "a temporary file appears", func() bool { return len(filesBelow(t, g.home(0))) == 2 })
	g.server.Pause()
	_, _ = conn.Write(content(t, 1<<20, 2)) // may be reset at any moment
	_ = conn.Close()
	if r := f.read(); r.code != 451 {
		t.Errorf("STOR: %v, want 451", r)
	}
	for _, command := range []string{"SIZE /old", "MDTM /old", "RNFR /old", "DELE /old", "MKD /x"} {
		f.expect(4, "%s", command)
	}
	if conn, r := f.tryData("RETR /old"); conn != nil || r.code/100 != 4 {
		t.Errorf("RETR: %v, want 4yz at once", r)
	}
	f.expect(200, "NOOP")
	g.server.Resume()
	eventually(t, "an upload works again", func() bool { return f.store("/old", strings.NewReader("new")).code == 226 })
	wantOnly(t, g, "old", "new")
}

// The server comes back with another key while an upload is under way: 4yz, and the other server gets nothing.
func TestKeyChangesUnderWay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.put("/old", []byte("old"))
	conn := f.data("STOR /old")
	write(t, conn, content(t, 2<<20, 1))
	eventually(t, "a temporary file appears", func() bool { return len(filesBelow(t, g.home(0))) == 2 })
	g.server.ChangeHostKey()
	g.server.Kill()
	mark := len(g.server.Log())
	g.server.Restart()
	g.waitLog("host key")
	_, _ = conn.Write(content(t, 1<<20, 2)) // may be reset at any moment
	_ = conn.Close()
	if r := f.read(); r.code/100 != 4 {
		t.Errorf("STOR: %v, want 4yz", r)
	}
	if log := g.server.Log()[mark:]; strings.Contains(log, "Accepted") || strings.Contains(log, "subsystem") {
		t.Errorf("the server with another key saw a login:\n%s", log)
	}
	if got, err := os.ReadFile(filepath.Join(g.home(0), "old")); err != nil || string(got) != "old" {
		t.Errorf("the old file: %q, %v", got, err)
	}
}
