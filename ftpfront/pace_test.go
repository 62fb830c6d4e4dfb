// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// A data connection that moves something now and then, but hardly anything, is ended; waiting for us does not count.
func TestMinimumRate(t *testing.T) {
	f := start(t, func(z *Zone) { z.StallTimeout, z.Limits.MinimumRate = 200*time.Millisecond, 1_000_000 })
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	broken := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Write([]byte("x")); err != nil {
				broken <- err
				return
			}
			time.Sleep(20 * time.Millisecond) // the device is slow
		}
	}()
	c.expect(426)
	<-broken
	f.incident(t, audit.SecurityLimit, "minimum_rate")
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("it was published")
	}
	d := &dataConn{progress: progress{stall: time.Second, rate: 100}}
	for range 10_000 { // reads that take no time, between which the gateway may have taken any
		if err := d.account(time.Now(), 1); err != nil {
			t.Fatal(err)
		}
	}
}

// A device that takes no replies is let go of, and holds up nobody.
func TestDeviceThatReadsNothing(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	if err := c.conn.(*net.TCPConn).SetReadBuffer(1024); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if _, err := io.WriteString(c.conn, "HELP\r\n"); err != nil {
				return
			}
		}
	}()
	f.login(t).store(226, "STOR y", []byte("y"))
	f.stop() // the write under way gets a second
	<-f.done
	_ = c.conn.Close()
	<-stopped
}

// Memory that strangers can have: a line without end, thousands of ABORs and commands ahead.
func TestMemoryOfOneSessionIsBounded(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	line := bytes.Repeat([]byte("x"), 1<<20)
	go func() {
		for range 8 {
			if _, err := c.conn.Write(line); err != nil {
				return
			}
		}
		_, _ = io.WriteString(c.conn, "\r\n")
	}()
	c.expect(500)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// The number of commands that are kept for later is bounded even where all are the same.
func TestTooManyEqualCommandsAhead(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	go func() { _, _ = io.WriteString(c.conn, strings.Repeat("NOOP\r\n", maxAhead+1)) }()
	c.expect(451)
	f.incident(t, audit.SecurityFlood, "ahead")
}

// What one address may make us answer before login is bounded, whatever its connections: the commands wait, and the connection that
// sends too many gets 421. What it sent besides is thrown away and counted.
func TestCommandsBeforeLogin(t *testing.T) {
	const most = 10
	f := start(t, func(z *Zone) { z.Limits.CommandsBeforeLogin = most })
	c := f.dial(t)
	c.send(strings.Repeat("NOOP\r\n", most+50))
	for range most {
		c.expect(200)
	}
	c.expect(421)
	c.ended()
	r := f.incident(t, audit.SecurityFlood, "commands_before_login")
	if r.Detail["swallowed"] != "49" {
		t.Errorf("on record: %v", r.Detail)
	}
	if n := len(f.log.of(audit.Command)); n != most+1 {
		t.Errorf("%d commands are on record", n)
	}
	f.loginFrom(t, "127.0.0.7").cmd(200, "NOOP") // another address does not wait
}

// Lines that are no command end the session after some, and each that was answered is on record.
func TestBadCommands(t *testing.T) {
	const most = 5
	for name, line := range map[string]string{"unknown": "XYZZY", "control": "NO\x01OP"} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(z *Zone) { z.Limits.BadCommands = most })
			c := f.login(t)
			c.send(strings.Repeat(line+"\r\n", 1000))
			for range most {
				readReply(t, c)
			}
			c.expect(421)
			c.ended()
			r := f.incident(t, audit.SecurityFlood, "bad_commands")
			if r.Detail["swallowed"] != fmt.Sprint(1000-most-1) {
				t.Errorf("on record: %v", r.Detail)
			}
			bad := 0
			for _, r := range f.log.of(audit.Command) {
				if r.Code == 500 || r.Code == 501 || r.Code == 421 {
					bad++
				}
			}
			if bad != most+1 {
				t.Errorf("%d are on record", bad)
			}
		})
	}
}

// A line that is no command counts as five that are, before login and behind it.
func TestBadCommandsCountFiveTimes(t *testing.T) {
	l := Limits{CommandsPerSecond: 100, CommandsBeforeLogin: 100}
	for _, device := range []string{"", "relay"} {
		visit, err := newDoors(l, new(places)).enter(netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		s := &session{zone: &zone{Zone: Zone{Limits: l}}, visit: visit}
		s.who.Device = device
		for _, known := range []bool{false, true} { // what is taken first is whole, what comes later may have come back in part
			s.pace.commands, visit.commands = bucket{}, bucket{}
			if err := s.spend(known); err != nil {
				t.Fatal(err)
			}
			want := 1.0
			if !known {
				want = 5
			}
			if got := s.pace.commands.spent + visit.commands.spent; got != want {
				t.Errorf("device %q, a command: %v: counted as %v, want %v", device, known, got, want)
			}
		}
	}
}

// The debt of a bucket is waited for, and no longer.
func TestBucket(t *testing.T) {
	var b bucket
	now := time.Unix(0, 0)
	take := func(n float64, want time.Duration) {
		t.Helper()
		if got := b.take(now, 10, 5, n); got != want {
			t.Errorf("wait %s, want %s", got, want)
		}
	}
	take(5, 0)
	take(1, 100*time.Millisecond)
	take(1, 200*time.Millisecond)
	now = now.Add(200 * time.Millisecond)
	take(1, 100*time.Millisecond)
	b.refund(2)
	take(1, 0)
	now = now.Add(time.Hour)
	take(6, 100*time.Millisecond)
	if got := b.take(now, 0, 0, 1e9); got != 0 {
		t.Errorf("no limit waits %s", got)
	}
}

// A session that is too fast waits, and loses nothing by it.
func TestCommandRate(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.CommandsPerSecond = 200 })
	c := f.login(t)
	const n = 2100 // ten times the rate at once, the rest in half a second
	go func() { _, _ = io.WriteString(c.conn, strings.Repeat("NOOP\r\n", n)) }()
	for range n {
		c.expect(200)
	}
	f.incident(t, audit.SecurityFlood, "commands_per_second")
}
