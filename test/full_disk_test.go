// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// smallDisk is a file system of its own, of 2 MiB.
type smallDisk struct {
	t   *testing.T
	dir string
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		cannot(t, "this process may not mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &smallDisk{t, dir}
}

// fill takes all that is free; free gives it back.
func (d *smallDisk) fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		d.t.Fatal(err)
	}
	page := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("filling the disk: %v", err)
	}
}

func (d *smallDisk) free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.dir, "ballast")); err != nil {
		d.t.Fatal(err)
	}
}

// resumed is the record of the gap, of which there is one.
func (g *gw) resumed() (refused int) {
	g.t.Helper()
	list := g.recordsOf(audit.LogResumed)
	if len(list) != 1 || !strings.Contains(list[0].Cause, "no space left") || list[0].Detail["failed"] == "" {
		g.t.Fatalf("gaps on record: %+v", list)
	}
	refused, err := strconv.Atoi(list[0].Detail["refused"])
	if err != nil {
		g.t.Fatal(err)
	}
	return refused
}

// The disk of the audit log is full, really. With on_failure "stop" devices get 421, a running upload is not published, nothing else
// moves and nobody logs in; when there is room the gateway goes on by itself, and the gap is on record.
func TestFullDiskStops(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t)
	g := startGateway(t, setup{logDir: filepath.Join(d.dir, "audit")})
	g.login(0).put("/before", []byte("before"))
	uploading, other := g.login(0), g.login(0)
	conn := uploading.data("STOR /running")
	write(t, conn, []byte("half of it"))
	g.waitTemp(0)
	d.fill()
	r := other.cmd("NOOP") // what is left of the last page is used up first
	for r.code == 200 {
		r = other.cmd("NOOP")
	}
	other.expectReply("NOOP on a full disk", r, 421)
	g.waitLog("ALARM: the audit log cannot be written")
	_ = conn.Close()
	if r, err := uploading.tryRead(); err == nil && r.code/100 != 4 {
		t.Errorf("the running upload: %v", r)
	}
	if r, err := greetedBy(t, g.addr); err != nil || r.code != 421 {
		t.Errorf("who comes on a full disk is greeted with %v, %v", r, err)
	}
	if list := filesBelow(t, g.home(0)); len(list) != 1 || list[0] != "before" {
		t.Errorf("on the server is %q", list)
	}
	d.free()
	g.waitLog("the audit log is written again")
	g.login(0).put("/after", []byte("after"))
	if refused := g.resumed(); refused < 3 {
		t.Errorf("%d records were refused", refused)
	}
	if n := len(g.recordsOf(audit.TransferCommitted)); n != 2 {
		t.Errorf("%d committed transfers on record, want 2", n)
	}
}

// With on_failure "continue" devices go on without a record, with an alarm, and on record again when there is room.
func TestFullDiskContinues(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t)
	g := startGateway(t, setup{logDir: filepath.Join(d.dir, "audit"), zone: `on_failure = "continue"`})
	f := g.login(0)
	f.put("/before", []byte("before"))
	d.fill()
	for !g.log.has("ALARM: devices go on without an audit log") {
		f.expect(200, "NOOP")
	}
	f.put("/between", []byte("between"))
	g.login(0).expect(257, "PWD")
	d.free()
	g.waitLog("the audit log is written again")
	f.put("/after", []byte("after"))
	if list := filesBelow(t, g.home(0)); len(list) != 3 {
		t.Errorf("on the server is %q", list)
	}
	if refused := g.resumed(); refused < 8 {
		t.Errorf("%d records were refused", refused)
	}
	var paths []string
	for _, r := range g.recordsOf(audit.TransferCommitted) {
		paths = append(paths, r.Path)
	}
	if strings.Join(paths, " ") != "/before /after" {
		t.Errorf("committed on record: %q", paths)
	}
	g.stop()
	if n := strings.Count(g.log.String(), "ALARM: devices go on without an audit log"); n < 2 { // the first record, and in the end all others
		t.Errorf("%d alarms about records that were lost:\n%s", n, g.log.String())
	}
}

// A gateway that is told to stop while its disk is full stops, with the error as its status, and the log is continued afterwards.
func TestStopOnFullDisk(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t)
	g := startGateway(t, setup{logDir: filepath.Join(d.dir, "audit")})
	f := g.login(0)
	d.fill()
	for f.cmd("NOOP").code == 200 {
	}
	g.stop()
	if g.status == nil {
		t.Error("the status is 0")
	}
	d.free()
	g.startAgain()
	g.login(0).put("/after", []byte("after"))
}

// greetedBy reads the first reply on a new connection.
func greetedBy(t *testing.T, addr string) (reply, error) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	return (&ftp{t: t, conn: conn, in: bufio.NewReader(conn)}).tryRead()
}
