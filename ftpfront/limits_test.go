// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

// dialFrom connects from an address of loopback and returns the first reply.
func (f *fixture) dialFrom(t *testing.T, from string, code int) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", f.front.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.expect(code)
	return c
}

// loginFrom logs in from an address of loopback.
func (f *fixture) loginFrom(t *testing.T, from string) *client {
	t.Helper()
	c := f.dialFrom(t, from, 220)
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	return c
}

// ended waits for the gateway to close the connection, in order.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection ended with %q, %v", rest, err)
	}
}

// incident waits for a security event and returns the first of its kind.
func (f *fixture) incident(t *testing.T, e audit.Event, kind string) audit.Record {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		for _, r := range f.log.of(e) {
			if r.Detail["kind"] == kind {
				if r.Zone != "bay" || r.Peer == "" || r.Cause == "" {
					t.Errorf("%s %s does not say who and why: %+v", e, kind, r)
				}
				return r
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s of kind %s did not come: %+v", e, kind, f.log.of(e))
		}
	}
}

// Each limit of connections lets in exactly as many as it says; one more gets 421 at once, a place that becomes free is had again,
// and what was refused is on record.
func TestConnectionLimits(t *testing.T) {
	const most = 3
	for _, tt := range []struct {
		kind   string
		totals Totals
		change func(*Limits)
		login  bool
		other  int // the code that another address gets at the limit
	}{
		{kind: "connections", totals: Totals{Connections: most}, other: 421},
		{kind: "connections", change: func(l *Limits) { l.Connections = most }, other: 421},
		{kind: "connections_per_address", change: func(l *Limits) { l.ConnectionsPerAddress = most }, login: true, other: 220},
		{kind: "startups_per_address", change: func(l *Limits) { l.StartupsPerAddress = most }, other: 220},
		{kind: "startups", change: func(l *Limits) { l.Startups = Startups{most, 100, most} }, other: 421},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			f := startWith(t, tt.totals, func(z *Zone) {
				if tt.change != nil {
					tt.change(&z.Limits)
				}
			})
			var in []*client
			for range most {
				c := f.dialFrom(t, "127.0.0.1", 220)
				if tt.login {
					c.cmd(331, "USER relay")
					c.cmd(230, "PASS "+password)
				}
				in = append(in, c)
			}
			f.dialFrom(t, "127.0.0.1", 421).ended()
			f.incident(t, audit.SecurityLimit, tt.kind)
			f.dialFrom(t, "127.0.0.9", tt.other)
			in[0].cmd(221, "QUIT")
			f.waitFor(t, audit.SessionClose, 1)
			f.waitFree(t, most)
			f.dialFrom(t, "127.0.0.1", 220)
		})
	}
}

// waitFree waits until fewer than most connections are counted.
func (f *fixture) waitFree(t *testing.T, most int) {
	t.Helper()
	d := f.front.zones[0].doors
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		n := d.connections
		d.mu.Unlock()
		if n < most || n == most && d.limits.Connections == 0 && f.front.connections.most == 0 && d.limits.Startups.Full == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still counted", n)
		}
	}
}

// Who has logged in counts no longer among the startups, and does again after REIN.
func TestLoginFreesAStartup(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.StartupsPerAddress = 1 })
	c := f.login(t)
	d := f.login(t)
	f.dial(t)
	f.dialFrom(t, "127.0.0.1", 421)
	d.cmd(220, "REIN")
	c.cmd(200, "NOOP")
	f.front.zones[0].doors.mu.Lock()
	defer f.front.zones[0].doors.mu.Unlock()
	if n := f.front.zones[0].doors.startups; n != 2 {
		t.Errorf("%d startups are counted", n)
	}
}

// The early drop is none below its start, certain when full, and in between grows from its rate.
func TestStartupsDropEarly(t *testing.T) {
	s := Startups{Start: 10, Rate: 30, Full: 100}
	for _, tt := range []struct{ n, refused int }{{0, 0}, {9, 0}, {10, 30}, {55, 65}, {99, 99}, {100, 100}, {500, 100}} {
		refused := 0
		for dice := range 100 {
			if s.refuses(tt.n, dice) {
				refused++
			}
		}
		if refused != tt.refused {
			t.Errorf("at %d startups %d percent are refused, want %d", tt.n, refused, tt.refused)
		}
	}
	if (Startups{}).refuses(1<<20, 0) {
		t.Error("no limit refuses")
	}
}

// An address from which a device has logged in is not dropped early: strangers cannot keep it out, however many they are.
func TestKnownAddressesAreNotDropped(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.Startups = Startups{1, 100, 1} })
	f.loginFrom(t, "127.0.0.4").cmd(221, "QUIT")
	f.dialFrom(t, "127.0.0.5", 220)
	f.dialFrom(t, "127.0.0.6", 421)
	f.loginFrom(t, "127.0.0.4").cmd(200, "NOOP")
}

// An address that connects and comes to no login is slowed down; one that logs in is not, however often it comes.
func TestConnectionRate(t *testing.T) {
	d := newDoors(Limits{ConnectionsPerAddress: 3, ConnectionsPerSecond: 1}, &places{})
	now := time.Unix(1000, 0)
	d.now = func() time.Time { return now }
	a := netip.MustParseAddr("192.0.2.1")
	come := func(login bool) bool {
		v, err := d.enter(a)
		if err != nil {
			return false
		}
		if login {
			v.loggedIn()
		}
		v.leave()
		return true
	}
	for i := range 100 {
		if !come(true) {
			t.Fatalf("the %dth login is refused", i+1)
		}
	}
	for i := range 3 {
		if !come(false) {
			t.Fatalf("connection %d is refused", i+1)
		}
	}
	for range 10 {
		if come(false) {
			t.Fatal("a fourth one is let in")
		}
	}
	if _, err := d.enter(netip.MustParseAddr("192.0.2.2")); err != nil {
		t.Errorf("another address: %v", err)
	}
	now = now.Add(time.Second)
	if !come(false) || come(false) {
		t.Error("after a second it is not one more")
	}
}

// A device has as many sessions as it may, in each zone; the next one is told to come back later.
func TestSessionsPerDevice(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.SessionsPerDevice = 2 })
	f.login(t)
	c := f.login(t)
	d := f.dial(t)
	d.cmd(331, "USER relay")
	d.cmd(421, "PASS "+password)
	d.ended()
	f.incident(t, audit.SecurityLimit, "sessions_per_device")
	c.cmd(331, "USER relay") // logs out
	d = f.login(t)
	d.cmd(200, "NOOP")
	c.cmd(421, "PASS "+password)
}

// One transfer more than there may be is told to try again, and the session goes on; a place that is free is had again.
func TestTransferLimit(t *testing.T) {
	f := startWith(t, Totals{Transfers: 1}, nil)
	c, d := f.login(t), f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	d.pasv()
	d.cmd(450, "STOR y")
	d.pasv()
	d.cmd(451, "NLST")
	f.incident(t, audit.SecurityLimit, "transfers")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	d.store(226, "STOR y", []byte("y"))
}

// A directory is listed whole or not at all: at the limit with 226, above it with 550 and no data connection.
func TestListingLimit(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for i := range maxListed {
		f.remote.Put(fmt.Sprintf("/relay/d/%d", i), []byte("x"))
	}
	if got := strings.Count(string(c.fetch("NLST /d")), "\r\n"); got != maxListed {
		t.Errorf("%d names", got)
	}
	f.remote.Put("/relay/d/more", []byte("x"))
	for _, command := range []string{"NLST /d", "LIST /d", "MLSD /d", "LIST /d/*"} {
		c.pasv()
		c.cmd(550, command)
	}
	c.cmd(550, "STAT /d")
	f.incident(t, audit.SecurityLimit, "listing_entries")
	c.cmd(213, "SIZE /d/more")
}

// A link on the server that leads out of the home is refused, and told of.
func TestLinkOutOfTheHomeIsRecorded(t *testing.T) {
	r := failure(beforeTransfer, fmt.Errorf("stat: %w", gateway.ErrOutside))
	if r.code != 550 {
		t.Errorf("got %d", r.code)
	}
	for _, a := range attacks() {
		if errors.Is(r.cause, a.cause) {
			if a.event != audit.SecurityName || a.kind != "link" {
				t.Errorf("it is a %s of kind %s", a.event, a.kind)
			}
			return
		}
	}
	t.Error("it is no attack")
}

// A line is as long as the zone says, at the byte.
func TestLineLengthLimit(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.LineLength = 200 })
	c := f.login(t)
	c.cmd(200, "NOOP "+strings.Repeat("x", 200-len("NOOP ")))
	c.cmd(500, "NOOP "+strings.Repeat("x", 201-len("NOOP ")))
	c.cmd(200, "NOOP")
	f.incident(t, audit.SecurityLimit, "line_length")
}

// A thousand PASVs leave one listener, and none when the session ends; those of an address are bounded.
func TestThousandPassivePortsLeaveNone(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.PassivePortsPerAddress = 2 })
	c := f.login(t)
	for range 1000 {
		c.cmd(227, "PASV")
	}
	z := f.front.zones[0]
	taken := func() int {
		z.ports.mu.Lock()
		defer z.ports.mu.Unlock()
		return len(z.ports.used)
	}
	if n := taken(); n != 1 {
		t.Errorf("%d ports are taken", n)
	}
	f.login(t).cmd(227, "PASV")
	d := f.login(t)
	d.cmd(425, "PASV")
	d.cmd(425, "EPSV")
	f.incident(t, audit.SecurityLimit, "passive_ports_per_address")
	f.loginFrom(t, "127.0.0.8").cmd(227, "PASV")
	c.cmd(221, "QUIT")
	f.waitFor(t, audit.SessionClose, 1)
	d.cmd(227, "PASV") // freed before the session's end is on record
}

// The tables of addresses are bounded, and who is there, or locked out, is forgotten last.
func TestTablesAreBounded(t *testing.T) {
	d := newDoors(Limits{ConnectionsPerAddress: 1, ConnectionsPerSecond: 1}, &places{})
	there, err := d.enter(netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(Limits{LoginAttempts: 1, Lockout: time.Hour})
	locked := netip.MustParseAddr("192.0.2.1")
	fail(t, g, locked, "relay")
	g.limits.LoginAttempts = 100 // all others fail once, and are not locked out
	for i := range 3 * maxVisitors {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		v, err := d.enter(a)
		if err != nil {
			t.Fatal(err)
		}
		v.leave()
		fail(t, g, a, "relay")
	}
	if n := len(d.visitors.entries); n > maxVisitors {
		t.Errorf("%d visitors are remembered", n)
	}
	if n := len(g.suspects.entries); n > maxSuspects {
		t.Errorf("%d suspects are remembered", n)
	}
	if _, err := d.enter(netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("who is there was forgotten")
	}
	if _, _, err := g.try(locked, "relay"); err == nil {
		t.Error("who is locked out was forgotten")
	}
	there.leave()
}
