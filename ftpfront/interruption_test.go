// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

// waitFor waits for an event on record.
func (f *fixture) waitFor(t *testing.T, e audit.Event, n int) []audit.Record {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if found := f.log.of(e); len(found) >= n {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s did not come", n, e)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAbort(t *testing.T) {
	for _, abort := range []string{"ABOR\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "\xff\xf4\xffABOR\r\n", "abor\n"} {
		f := start(t, nil)
		c := f.login(t)
		conn := c.dialData(c.pasv())
		c.cmd(150, "STOR x")
		if _, err := conn.Write(make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		c.send(abort)
		c.expect(426)
		c.expect(226)
		if _, ok := f.remote.Get("/relay/x"); ok {
			t.Errorf("%q: an aborted upload was published", abort)
		}
		if r := f.waitFor(t, audit.TransferAborted, 1)[0]; r.Cause != errAborted.Error() {
			t.Errorf("%q: cause %q", abort, r.Cause)
		}
		c.store(226, "STOR x", []byte("again"))
	}
}

func TestAbortBeforeDataConnection(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.pasv()
	c.send("STOR x\r\nABOR\r\n")
	c.expect(426)
	c.expect(226)
	c.store(226, "STOR x", []byte("again"))
	_ = f
}

// An ABOR that comes while the far side commits counts: the file appears only if the device is told that it did.
func TestAbortDuringCommit(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	committing, goOn := make(chan struct{}), make(chan struct{})
	f.remote.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Commit {
			close(committing)
			<-goOn
		}
		return nil
	}
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-committing
	c.send("ABOR\r\nSTAT\r\n")
	c.expect(211) // STAT is answered at once, so the ABOR has been heard
	close(goOn)
	c.expect(426)
	c.expect(226)
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("an aborted upload was published")
	}
}

func TestControlConnectionLost(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	committing, goOn := make(chan struct{}), make(chan struct{})
	f.remote.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Commit {
			close(committing)
			<-goOn
		}
		return nil
	}
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	// A dying process closes both, in any order; here the data connection first, with FIN.
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-committing
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	f.logged.wait(t, "control connection lost")
	close(goOn)
	if r := f.waitFor(t, audit.TransferAborted, 1)[0]; r.Cause != errControlLost.Error() {
		t.Errorf("cause %q", r.Cause)
	}
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("the upload of a device that died was published")
	}
}

func TestDataConnectionReset(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(426)
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("the upload was published")
	}
	c.store(226, "STOR x", []byte("again"))
}

func TestStall(t *testing.T) {
	f := start(t, func(z *Zone) { z.StallTimeout = 50 * time.Millisecond })
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("then silence")); err != nil {
		t.Fatal(err)
	}
	c.expect(426)
	if r := f.waitFor(t, audit.TransferAborted, 1)[0]; !strings.Contains(r.Cause, "no progress for 50ms") {
		t.Errorf("cause %q", r.Cause)
	}
	f.remote.Put("/relay/big", make([]byte, 64<<20))
	c.dialData(c.pasv()) // and never reads
	c.cmd(150, "RETR big")
	c.expect(426)
}

func TestDataConnectionNeverComes(t *testing.T) {
	f := start(t, func(z *Zone) { z.DataTimeout = 30 * time.Millisecond })
	c := f.login(t)
	f.remote.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Begin {
			t.Error("the far side was touched")
		}
		return nil
	}
	c.pasv()
	c.cmd(425, "STOR x")
	c.cmd(200, "NOOP")
}

// A port that is asked for and not used is free again after a while.
func TestPassivePortExpires(t *testing.T) {
	f := start(t, func(z *Zone) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // at a port that nobody else uses
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		z.PassivePorts, z.DataTimeout = PortRange{port, port}, 30*time.Millisecond
	})
	hoarder, other := f.login(t), f.login(t)
	hoarder.pasv()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		other.send("EPSV\r\n")
		if strings.HasPrefix(readReply(t, other), "229") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the port was never free again")
		}
	}
	hoarder.cmd(425, "STOR x")
}

func TestIdle(t *testing.T) {
	f := start(t, func(z *Zone) { z.IdleTimeout = 50 * time.Millisecond })
	c := f.login(t)
	// A transfer may take longer than the idle time.
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	for range 5 {
		time.Sleep(25 * time.Millisecond)
		if _, err := conn.Write([]byte("slow")); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	c.expect(421)
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		t.Errorf("behind the 421: %q %v", rest, err)
	}
}

// A device that is removed is cut off at once: idle, and in the middle of a transfer, which is aborted. One that stays goes on.
func TestRevoked(t *testing.T) {
	f := start(t, nil)
	idle, busy := f.login(t), f.login(t)
	idle.cmd(200, "NOOP")
	busy.dialData(busy.pasv())
	busy.cmd(150, "STOR x")
	kept := *f.front.login.Load()
	f.front.Replace(kept.devices["relay"], func() {})
	idle.cmd(200, "NOOP")
	f.front.Replace(kept.devices["elsewhere"], func() {})
	idle.expect(421)
	busy.expect(421)
	if r := f.waitFor(t, audit.TransferAborted, 1)[0]; r.Cause != errRevoked.Error() {
		t.Errorf("cause %q", r.Cause)
	}
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("the upload of a device that was removed was published")
	}
}

// A device that keeps talking without logging in is let go all the same.
func TestLoginTimeout(t *testing.T) {
	f := start(t, func(z *Zone) { z.LoginTimeout = 50 * time.Millisecond })
	c := f.dial(t)
	for {
		c.send("NOOP\r\n")
		if text := readReply(t, c); strings.HasPrefix(text, "421") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestPipelining(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	addr := c.pasv()
	c.send("STOR x\r\nSIZE x\r\nSTAT\r\nDELE x\r\nQUIT\r\n")
	conn := c.dialData(addr)
	// STAT passes; its place relative to the 150 is open, so both are read.
	first, second := readReply(t, c), readReply(t, c)
	if !(strings.HasPrefix(first, "150") && strings.HasPrefix(second, "211")) && !(strings.HasPrefix(first, "211") && strings.HasPrefix(second, "150")) {
		t.Fatalf("got %q and %q", first, second)
	}
	if _, err := conn.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	if got := c.expect(213); got != "213 5\r\n" {
		t.Errorf("got %q", got)
	}
	c.expect(250)
	c.expect(221)
}

func readReply(t *testing.T, c *client) string {
	t.Helper()
	var text strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(line)
		if line[3] == ' ' && line[0] != ' ' {
			return text.String()
		}
	}
}

func TestShutdown(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		f := start(t, nil)
		c := f.login(t)
		f.stop()
		c.expect(421)
		<-f.done
	})
	t.Run("a transfer finishes within the grace", func(t *testing.T) {
		f := start(t, nil)
		c := f.login(t)
		conn := c.dialData(c.pasv())
		c.cmd(150, "STOR x")
		f.stop()
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		c.expect(226)
		c.expect(421)
		<-f.done
	})
	t.Run("a transfer does not", func(t *testing.T) {
		f := start(t, nil)
		c := f.login(t)
		c.dialData(c.pasv())
		c.cmd(150, "STOR x")
		f.stop()
		c.expect(421)
		<-f.done
		if _, ok := f.remote.Get("/relay/x"); ok {
			t.Error("the aborted upload was published")
		}
	})
}

func TestLines(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for _, b := range []byte("PWD\r\n") {
		c.send(string(b))
	}
	c.expect(257)
	c.send("PWD\nPWD\r\n")
	c.expect(257)
	c.expect(257)
	c.send("DELE a\x00b\r\n")
	c.expect(501)
	c.send("DELE a\rb\r\n")
	c.expect(501)
	c.send("STOR " + strings.Repeat("x", 2*maxLine) + "\r\nPWD\r\n")
	c.expect(500)
	c.expect(257)
	c.send("\xff\xfd\x06PW\xff\xfb\x01D\r\n")
	c.expect(257)
	c.send("DELE \xc3\x28\r\n") // not UTF-8
	c.expect(553)
}

// Secrets are on no record, wherever a device puts them.
func TestSecretsAreMasked(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	c.cmd(331, "USER relay")
	c.cmd(530, "PASS hunter2-wrong")
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	c.cmd(202, "ACCT hunter2-account")
	c.cmd(500, "hunter2-verb hunter2-argument")
	c.cmd(221, "QUIT")
	for _, r := range f.waitFor(t, audit.Command, 7) {
		for _, secret := range []string{"hunter2-wrong", password, "hunter2-account", "hunter2-verb", "hunter2-argument"} {
			if strings.Contains(strings.ToLower(r.Verb+r.Args+r.Text+r.Cause), secret) {
				t.Errorf("%q is on record: %+v", secret, r.CommandFields)
			}
		}
	}
}

func TestTooManyFailedLogins(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	for range maxFailures - 1 {
		c.cmd(331, "USER relay")
		c.cmd(530, "PASS wrong")
	}
	c.cmd(331, "USER relay")
	c.cmd(421, "PASS wrong")
	if n := len(f.log.of(audit.LoginFailed)); n != maxFailures {
		t.Errorf("%d failed logins on record", n)
	}
}
