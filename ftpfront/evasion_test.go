// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// An ABOR is heard however many commands stand before it, and those are answered behind it.
func TestAbortBehindManyCommands(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	f.remote.Put("/relay/x", []byte("old"))
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("first part")); err != nil {
		t.Fatal(err)
	}
	const n = 500
	c.send(strings.Repeat("NOOP\r\n", n) + "PWD\r\nSTAT\r\n")
	c.expect(211) // everything up to the STAT has been read
	c.send("ABOR\r\n")
	c.expect(426)
	c.expect(226)
	for range n {
		c.expect(200)
	}
	c.expect(257)
	if got, _ := f.remote.Get("/relay/x"); string(got) != "old" {
		t.Errorf("the file became %q", got)
	}
}

// What a device may send ahead is bounded; beyond it the transfer ends, not the attention to the control connection.
func TestTooMuchAhead(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	for i := range maxQueue + 1 {
		c.send(fmt.Sprintf("SIZE %d\r\n", i))
	}
	c.expect(451)
	for range maxQueue {
		c.expect(550)
	}
}

// QUIT that was sent ahead says nothing about data that have yet to come: the loss of the control connection still counts.
func TestQuitAheadSaysNothing(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	f.remote.Put("/relay/x", []byte("old"))
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("first part")); err != nil {
		t.Fatal(err)
	}
	c.send("QUIT\r\nSTAT\r\n")
	c.expect(211)
	if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	f.logged.wait(t, "control connection lost")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	f.waitFor(t, audit.TransferAborted, 1)
	if got, _ := f.remote.Get("/relay/x"); string(got) != "old" {
		t.Errorf("the file became %q", got)
	}
}

// A connection that was made for a transfer which was refused is not taken for that of the next.
func TestStaleDataConnection(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	stale := c.dialData(c.pasv())
	c.cmd(550, "STOR /secret/x")
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	c.cmd(425, "STOR good")
	if _, ok := f.remote.Get("/relay/good"); ok {
		t.Error("an empty file was published")
	}
}

// The restart position holds until the transfer, whatever is asked in between: forgotten, the rest of a file would replace the whole.
func TestRestartHolds(t *testing.T) {
	for _, between := range []string{"PWD", "CWD /", "SYST", "STAT", "FEAT", "XYZZY", "RETR none"} {
		f := start(t, nil)
		f.remote.Put("/relay/log", []byte("AAAAABBBBB"))
		c := f.login(t)
		c.cmd(350, "REST 5")
		c.send(between + "\r\n")
		readReply(t, c)
		c.store(226, "STOR log", []byte("CC"))
		if got, _ := f.remote.Get("/relay/log"); string(got) != "AAAAACC" {
			t.Errorf("%s in between: %q", between, got)
		}
		f.stop()
	}
}

// A name on the far side cannot forge a reply or a line of a listing.
func TestNamesDoNotForgeReplies(t *testing.T) {
	f := start(t, nil)
	f.remote.Put("/relay/d/x\r\n212 End\r\n226 Transfer complete.", []byte("x"))
	f.remote.Put("/relay/d/plain", []byte("x"))
	c := f.login(t)
	if text := c.cmd(212, "STAT /d"); strings.Count(text, "\r\n") != 3 {
		t.Errorf("got %q", text)
	}
	c.cmd(200, "NOOP")
	if got := string(c.fetch("NLST /d")); got != "/d/plain\r\n" {
		t.Errorf("NLST: %q", got)
	}
	if got := answer(200, "a\r\n226 b\xff").String(); got != "200 a??226 b?\r\n" {
		t.Errorf("got %q", got)
	}
}

// What is only down for now is not told in the words of what it wraps, and what can never help is not temporary.
func TestCodeClasses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("a directory into itself: %w", syscall.EINVAL), 5},
		{passing{fmt.Errorf("reach ssh-agent: %w", syscall.ENOENT)}, 4},
		{passing{fmt.Errorf("connect: %w", syscall.EACCES)}, 4},
		{passing{fmt.Errorf("write: %w", syscall.ENOSPC)}, 4},
		{errors.New("never heard of"), 4},
	} {
		for _, st := range []stage{beforeTransfer, duringTransfer} {
			if r := failure(st, tt.err); r.code/100 != tt.want {
				t.Errorf("%v: %d %s", tt.err, r.code, r.text)
			}
		}
	}
}

type passing struct{ error }

func (passing) Temporary() bool { return true }
func (p passing) Unwrap() error { return p.error }

// A directory whose name looks like a pattern can be listed, and so can a file in it.
func TestListInBracketDirectory(t *testing.T) {
	f := start(t, nil)
	f.remote.Put("/relay/bay[7]/a[1].txt", []byte("x"))
	c := f.login(t)
	c.cmd(250, "CWD bay[7]")
	for command, want := range map[string]string{"NLST": "a[1].txt\r\n", "NLST a[1].txt": "a[1].txt\r\n", "NLST a*": "a[1].txt\r\n"} {
		if got := string(c.fetch(command)); got != want {
			t.Errorf("%s: %q", command, got)
		}
	}
}

// SITE sub-commands that carry passwords elsewhere are masked, and what got no answer is on record all the same.
func TestEverySentLineIsOnRecord(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.cmd(504, "SITE PSWD hunter2-old hunter2-new")
	c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	c.send("PWD\r\nABOR\r\n")
	if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	f.waitFor(t, audit.SessionClose, 1)
	seen := map[string]bool{}
	for _, r := range f.log.of(audit.Command) {
		seen[r.Verb] = true
		if strings.Contains(r.Args, "hunter2") {
			t.Errorf("a password is on record: %q", r.Args)
		}
	}
	if !seen["SITE"] || !seen["STOR"] || seen["ABOR"] != seen["PWD"] {
		t.Errorf("on record: %v", seen) // PWD and ABOR were read, or the reset came first
	}
}

// Whoever comes from where no device is costs no check of a password.
func TestStrangersDoNotWaitForPasswordChecks(t *testing.T) {
	l := newLogin([]Device{{Name: "d", User: "d", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, maphash.MakeSeed())
	var nobody *credential.Checker // would panic
	if _, err := l.check(context.Background(), nobody, "d", credential.NewSecret("x"), netip.MustParseAddr("198.51.100.1"), false); !errors.Is(err, errLogin) {
		t.Errorf("got %v", err)
	}
}
