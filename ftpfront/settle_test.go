// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

// forEver is a settle time that no test sees the end of.
const forEver = 24 * time.Hour

// committedBy returns the evidence of the only upload that was committed.
func (f *fixture) committedBy(t *testing.T) string {
	t.Helper()
	return strings.Join(f.waitFor(t, audit.TransferCommitted, 1)[0].Evidence, ", ")
}

// abortedFor checks that nothing was published, and for what.
func (f *fixture) abortedFor(t *testing.T, want string) {
	t.Helper()
	r := f.waitFor(t, audit.TransferAborted, 1)[0]
	if r.FailedEvidence != want {
		t.Errorf("aborted for %q (%s), want %q", r.FailedEvidence, r.Cause, want)
	}
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("the upload was published")
	}
}

func TestSettled(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.store(226, "STOR x", []byte("12345"))
	if got := f.committedBy(t); !strings.HasPrefix(got, "fin, control-alive ") {
		t.Errorf("evidence: %s", got)
	}
}

// Where the size that was announced has come, the file is whole, and nothing is waited for.
func TestAnnouncedSizeNeedsNoSettling(t *testing.T) {
	f := start(t, func(z *Zone) { z.Settle = forEver })
	c := f.login(t)
	c.cmd(200, "ALLO 5")
	c.store(226, "STOR x", []byte("12345"))
	if got := f.committedBy(t); !strings.HasPrefix(got, "fin, allo-equal 5, control-alive ") {
		t.Errorf("evidence: %s", got)
	}
}

func TestAnnouncedSizeDiffers(t *testing.T) {
	f := start(t, func(z *Zone) { z.Settle = forEver })
	c := f.login(t)
	c.cmd(200, "ALLO 6")
	c.store(426, "STOR x", []byte("12345"))
	f.abortedFor(t, "allo-equal")
}

// Who says QUIT behind the end of the data is not expected to stay. Said ahead, it is no evidence about what is yet to come.
func TestQuitNeedsNoSettling(t *testing.T) {
	f := start(t, func(z *Zone) { z.Settle = forEver })
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.send("QUIT\r\n")
	c.expect(226)
	c.expect(221)
	if got := f.committedBy(t); got != "fin, quit" {
		t.Errorf("evidence: %s", got)
	}
	f = start(t, nil)
	c = f.login(t)
	conn = c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	c.send("QUIT\r\nSTAT\r\n")
	c.expect(211)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	c.expect(221)
	if got := f.committedBy(t); !strings.HasPrefix(got, "fin, control-alive") {
		t.Errorf("evidence: %s", got)
	}
}

// Within the settle time the end of the control connection, whole or half, and an ABOR count.
func TestWithinTheSettleTime(t *testing.T) {
	ways := map[string]struct {
		do   func(t *testing.T, c *client)
		want string
	}{
		"closed":      {func(t *testing.T, c *client) { _ = c.conn.Close() }, "control-alive"},
		"half-closed": {func(t *testing.T, c *client) { c.halfClose() }, "control-alive"},
		"reset":       {func(t *testing.T, c *client) { c.reset() }, "control-alive"},
		"ABOR":        {func(t *testing.T, c *client) { c.send("ABOR\r\n"); c.expect(426); c.expect(226) }, "no-abort"},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(z *Zone) { z.Settle = forEver })
			c := f.login(t)
			conn := c.dialData(c.pasv())
			c.cmd(150, "STOR x")
			if _, err := conn.Write([]byte("half")); err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			way.do(t, c)
			f.abortedFor(t, way.want)
		})
	}
}

// The kernel is asked last: a control connection that ends unread, behind more commands than the session takes in advance, counts.
func TestControlConnectionLostUnread(t *testing.T) {
	for name, end := range map[string]func(c *client){
		"closed": func(c *client) { _ = c.conn.Close() }, "half-closed": (*client).halfClose, "reset": (*client).reset,
	} {
		t.Run(name, func(t *testing.T) {
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
			c.send(strings.Repeat("NOOP\r\n", maxQueue+5))
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			<-committing
			end(c)
			f.waitDisconnected(t)
			close(goOn)
			f.abortedFor(t, "control-alive")
		})
	}
}

// waitDisconnected waits until the kernel knows of the end of the only session's control connection.
func (f *fixture) waitDisconnected(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		f.front.mu.Lock()
		connected := false
		for s := range f.front.sessions {
			state, err := stateOf(s.wire)
			connected = connected || err == nil && state.established
		}
		f.front.mu.Unlock()
		if !connected {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the control connection stands")
		}
	}
}

// The same in the middle of the data: a device that has gone is missed although no more of its commands are read.
func TestControlConnectionLostUnreadInTheMiddle(t *testing.T) {
	f := start(t, func(z *Zone) { z.StallTimeout = forEver })
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	if _, err := conn.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	c.send(strings.Repeat("NOOP\r\n", maxQueue+5))
	c.halfClose()
	f.abortedFor(t, "control-alive")
}

func TestMeasuredSettleTime(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.store(226, "STOR x", nil)
	f.front.mu.Lock()
	defer f.front.mu.Unlock()
	for s := range f.front.sessions {
		state, err := stateOf(s.wire)
		if err != nil || !state.established || state.roundTrip <= 0 || state.roundTrip > patience {
			t.Errorf("%+v, %v", state, err)
		}
		if got := s.settleTime(); got < leastSettle {
			t.Errorf("settle time %s", got)
		}
	}
}

// Every failed transfer says which evidence failed.
func TestFailedEvidenceOfADataConnection(t *testing.T) {
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
	f.abortedFor(t, "fin")
	if r := f.log.of(audit.TransferAborted)[0]; slices.Contains(r.Evidence, "fin") {
		t.Errorf("evidence: %q", r.Evidence)
	}
}
