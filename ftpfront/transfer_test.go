// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for _, n := range []int{0, 1, 511, 512, 513, 4096, 1<<20 + 3} {
		data := randomBytes(n)
		name := fmt.Sprintf("/f-%d", n)
		c.store(226, "STOR "+name, data)
		if got, ok := f.remote.Get("/relay" + name); !ok || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: the far side has %d bytes (%v)", n, len(got), ok)
		}
		if got := c.fetch("RETR " + name); !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: fetched %d bytes", n, len(got))
		}
		sum := sha256.Sum256(data)
		records := f.log.of(audit.TransferCommitted)
		for _, r := range records[len(records)-2:] {
			if r.SHA256 != hex.EncodeToString(sum[:]) || *r.Bytes != int64(n) || r.Rule != "all" || r.Path != name || r.Conduit != "far" {
				t.Errorf("%d bytes: record %+v", n, r.TransferFields)
			}
		}
	}
	// Type A changes nothing about the bytes, and is on record.
	c.cmd(200, "TYPE A")
	text := []byte("a\nb\r\nc\r\x00\xff")
	c.store(226, "STOR text", text)
	if got := c.fetch("RETR text"); !bytes.Equal(got, text) {
		t.Errorf("type A altered %q into %q", text, got)
	}
	records := f.log.of(audit.TransferCommitted)
	if r := records[len(records)-1]; r.Type != "A" {
		t.Errorf("type on record: %q", r.Type)
	}
}

func TestActive(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for _, extended := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		if extended {
			c.cmd(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
		} else {
			c.cmd(200, fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff))
		}
		c.send("STOR active\r\n")
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.expect(150)
		if _, err := conn.Write([]byte("active")); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		c.expect(226)
		if got, _ := f.remote.Get("/relay/active"); string(got) != "active" {
			t.Errorf("got %q", got)
		}
	}
	// Nobody listens: 425, and the session goes on.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c.cmd(200, fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff))
	c.cmd(425, "STOR nobody")
	c.cmd(200, "NOOP")
	if _, ok := f.remote.Get("/relay/nobody"); ok {
		t.Error("a file without a data connection")
	}
}

func TestAppendAndRestart(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	expect := func(want string) {
		t.Helper()
		if got, _ := f.remote.Get("/relay/log"); string(got) != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	c.store(226, "APPE log", []byte("one,"))
	expect("one,")
	c.store(226, "APPE log", []byte("two,"))
	expect("one,two,")
	c.cmd(350, "REST 4")
	c.store(226, "STOR log", []byte("TWO, three"))
	expect("one,TWO, three")
	records := f.log.of(audit.TransferCommitted)
	last := records[len(records)-1]
	sum := sha256.Sum256([]byte("one,TWO, three"))
	if last.SHA256 != hex.EncodeToString(sum[:]) || last.Offset != 4 || *last.Bytes != 14 {
		t.Errorf("record %+v", last.TransferFields)
	}
	c.cmd(350, "REST 9")
	if got := c.fetch("RETR log"); string(got) != "three" {
		t.Errorf("got %q", got)
	}
	// A position behind the end is refused before a data connection is needed, both ways; and it is forgotten afterwards.
	c.cmd(350, "REST 15")
	c.pasv()
	c.cmd(554, "STOR log")
	c.cmd(350, "REST 15")
	c.pasv()
	c.cmd(554, "RETR log")
	if got := c.fetch("RETR log"); string(got) != "one,TWO, three" {
		t.Errorf("got %q", got)
	}
	// The file changes while it is being appended to: neither version is lost, the device is told to try again.
	conn := c.dialData(c.pasv())
	c.cmd(150, "APPE log")
	if _, err := conn.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	f.remote.Put("/relay/log", []byte("somebody else's"))
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(451)
	expect("somebody else's")
}

func TestStoreUnique(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	conn := c.dialData(c.pasv())
	text := c.cmd(150, "STOU")
	name, ok := strings.CutPrefix(strings.TrimSpace(text), "150 FILE: ")
	if !ok {
		t.Fatalf("got %q", text)
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	if got, _ := f.remote.Get("/relay" + name); string(got) != "x" {
		t.Errorf("%q holds %q", name, got)
	}
}

func TestAnnouncedSize(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.cmd(200, "ALLO 4")
	c.store(226, "STOR whole", []byte("1234"))
	c.cmd(200, "ALLO 5")
	c.store(426, "STOR short", []byte("1234"))
	if _, ok := f.remote.Get("/relay/short"); ok {
		t.Error("a file that is shorter than announced was published")
	}
	c.store(226, "STOR short", []byte("1234")) // ALLO holds for one transfer
	if r := f.log.of(audit.TransferAborted)[0]; !strings.Contains(r.Cause, "4 bytes arrived, 5 were announced") {
		t.Errorf("cause %q", r.Cause)
	}
}

func TestSizeLimit(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.cmd(257, "MKD small")
	c.store(226, "STOR small/a", make([]byte, 1000))
	c.store(552, "STOR small/b", make([]byte, 100_000))
	c.pasv()
	c.cmd(200, "ALLO 1001")
	c.cmd(552, "STOR small/c")
	f.remote.Put("/relay/small/big", make([]byte, 1001))
	c.pasv()
	c.cmd(550, "RETR small/big")
	for _, name := range []string{"b", "c"} {
		if _, ok := f.remote.Get("/relay/small/" + name); ok {
			t.Errorf("%s was published", name)
		}
	}
}

// What a failing far side means for the device: the class of the code, at every step, and nothing published.
func TestFarSideFails(t *testing.T) {
	temporary := &temporaryError{}
	tests := []struct {
		name string
		step memremote.Step
		err  error
		code int
	}{
		{"unavailable", memremote.Available, temporary, 450},
		{"begin", memremote.Begin, temporary, 451},
		{"begin in a directory that is not there", memremote.Begin, fmt.Errorf("x: %w", errNotExist()), 550},
		{"write", memremote.Write, temporary, 451},
		{"no space at write", memremote.Write, syscall.ENOSPC, 452},
		{"commit", memremote.Commit, temporary, 451},
		{"commit for an unknown reason", memremote.Commit, errors.New("odd"), 451},
		{"no permission at commit", memremote.Commit, syscall.EACCES, 550},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, nil)
			c := f.login(t)
			f.remote.Put("/relay/x", []byte("old"))
			f.remote.Fail = func(s memremote.Step, _ string) error {
				if s == tt.step {
					return tt.err
				}
				return nil
			}
			var text string
			if tt.step == memremote.Available {
				c.pasv()
				text = c.cmd(tt.code, "STOR x")
			} else {
				text = c.store(tt.code, "STOR x", []byte("new"))
			}
			if strings.Contains(text, "inside") || strings.Contains(text, "odd") {
				t.Errorf("the device was told %q", text)
			}
			if got, _ := f.remote.Get("/relay/x"); string(got) != "old" {
				t.Errorf("the old file became %q", got)
			}
			f.remote.Fail = nil
			c.store(226, "STOR x", []byte("new")) // the same session goes on
		})
	}
	t.Run("read", func(t *testing.T) {
		f := start(t, nil)
		c := f.login(t)
		f.remote.Put("/relay/x", make([]byte, 1<<20))
		n := 0
		f.remote.Fail = func(s memremote.Step, _ string) error {
			if s == memremote.Read {
				if n++; n > 3 {
					return temporary
				}
			}
			return nil
		}
		conn := c.dialData(c.pasv())
		c.cmd(150, "RETR x")
		if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a download that broke off ended with %v on the data connection", err)
		}
		c.expect(451)
	})
	t.Run("look and change", func(t *testing.T) {
		f := start(t, nil)
		c := f.login(t)
		f.remote.Fail = func(memremote.Step, string) error { return temporary }
		c.pasv()
		for _, line := range []string{"SIZE x", "MDTM x", "MLST x", "CWD x", "MKD x", "RMD x", "DELE x", "RNFR x", "RETR x", "STAT x"} {
			c.pasv()
			if text := c.cmd(450, line); strings.Contains(text, "inside") {
				t.Errorf("%s: the device was told %q", line, text)
			}
		}
		for _, line := range []string{"LIST", "NLST", "MLSD"} { // 450 would mean to curl that the directory is empty
			c.pasv()
			if text := c.cmd(451, line); strings.Contains(text, "inside") {
				t.Errorf("%s: the device was told %q", line, text)
			}
		}
		c.cmd(250, "CWD /")
	})
}

type temporaryError struct{}

func (*temporaryError) Error() string   { return "something inside" }
func (*temporaryError) Temporary() bool { return true }

func errNotExist() error { return syscall.ENOENT }

// A log that has failed lets nothing through, and no success is told that is not on record.
func TestNothingWithoutRecord(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	f.log.failWith(syscall.ENOSPC)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(421)
	other, err := net.Dial("tcp", f.front.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if b, err := io.ReadAll(other); err != nil || !strings.HasPrefix(string(b), "421 ") {
		t.Errorf("a new device got %q, %v", b, err)
	}
	f.log.failWith(nil)
}

func TestListings(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	f.remote.Put("/relay/d/-dash", []byte("1"))
	f.remote.Put("/relay/d/b c", []byte("22"))
	f.remote.Put("/relay/d/ä,\"", []byte("333"))
	if got := string(c.fetch("NLST d")); got != "d/-dash\r\nd/b c\r\nd/ä,\"\r\n" {
		t.Errorf("NLST d: %q", got)
	}
	c.cmd(250, "CWD d")
	if got := string(c.fetch("NLST")); got != "-dash\r\nb c\r\nä,\"\r\n" {
		t.Errorf("NLST: %q", got)
	}
	if got := string(c.fetch("NLST b*")); got != "b c\r\n" {
		t.Errorf("NLST b*: %q", got)
	}
	for _, args := range []string{"", " -la", " -a -l /d", " /d"} {
		got := string(c.fetch("LIST" + args))
		if n := strings.Count(got, "\r\n"); n != 3 || !strings.Contains(got, "-rw-r----- 1 ftp ftp            2 ") {
			t.Errorf("LIST%s: %q", args, got)
		}
	}
	if got := string(c.fetch("LIST b c")); !strings.HasSuffix(got, " b c\r\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("LIST of a file: %q", got)
	}
	if got := string(c.fetch("MLSD /")); !strings.HasPrefix(got, "type=dir;modify=") || !strings.HasSuffix(got, "; d\r\n") {
		t.Errorf("MLSD /: %q", got)
	}
	if got := string(c.fetch("NLST *none*")); got != "" {
		t.Errorf("NLST of nothing: %q", got)
	}
	c.pasv()
	c.cmd(550, "LIST none")
	c.pasv()
	c.cmd(501, "MLSD b c")
}

func TestStrangerOnDataPort(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	addr := c.pasv()
	thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	stolen, err := thief.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer stolen.Close()
	c.send("STOR x\r\n")
	if err := stolen.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := stolen.Read(make([]byte, 1)); err == nil || errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("the stranger's connection: %v", err)
	}
	conn := c.dialData(addr)
	c.expect(150)
	if _, err := conn.Write([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	if got, _ := f.remote.Get("/relay/x"); string(got) != "mine" {
		t.Errorf("got %q", got)
	}
}

func TestNoFreePort(t *testing.T) {
	f := start(t, func(z *Zone) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		z.PassivePorts = PortRange{port, port}
	})
	c := f.login(t)
	c.cmd(425, "EPSV")
	c.cmd(425, "PASV")
	c.cmd(200, "NOOP")
}

var _ gateway.Recorder = (*memlog)(nil)
