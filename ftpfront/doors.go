// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxVisitors is how many addresses a zone remembers that are not connected.
	maxVisitors = 4096
	// knownWorth is how many seconds longer than others an address is remembered from which somebody has logged in.
	knownWorth = 7 * 24 * 60 * 60
)

// limitError says that a limit was reached. Name is that of the attribute in the configuration.
type limitError struct {
	name  string
	limit int
}

func (e *limitError) Error() string {
	return fmt.Sprintf("the limit %s = %d is reached", e.name, e.limit)
}

// doors decides whom a zone lets in, and knows who is there.
type doors struct {
	limits Limits
	total  *places // the connections of all zones
	dice   func() int
	now    func() time.Time

	mu          sync.Mutex
	connections int
	startups    int // of the connections, those that have not logged in
	visitors    *table[netip.Addr, visitor]
}

// visitor is an address that is connected, or was. It is guarded by the doors' lock.
type visitor struct {
	connections int
	startups    int
	ports       int    // passive ports that wait for it
	arrivals    bucket // connections that came to no login
	commands    bucket // commands before login
	known       bool   // somebody has logged in from there
	seen        time.Time
}

func newDoors(l Limits, total *places) *doors {
	return &doors{
		limits: l, total: total, now: time.Now, dice: func() int { return rand.IntN(100) },
		visitors: newTable[netip.Addr](maxVisitors, func(v *visitor) int64 {
			if v.connections > 0 || v.ports > 0 {
				return keep
			}
			if v.known { // takes a password, so that strangers do not drive devices out
				return v.seen.Unix() + knownWorth
			}
			return v.seen.Unix()
		}),
	}
}

// visit is one connection of a visitor.
type visit struct {
	*doors
	*visitor
	startup  bool
	admitted bool // has logged in once
	sent     int  // commands before login
}

// enter lets a connection in, or returns a *limitError. What it returns must leave.
func (d *doors) enter(from netip.Addr) (*visit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	v := d.visitors.entry(from)
	v.seen = now
	if err := d.full(v, now); err != nil {
		return nil, err
	}
	if !d.total.take() {
		return nil, &limitError{"connections", d.total.most}
	}
	d.connections++
	d.startups++
	v.connections++
	v.startups++
	return &visit{doors: d, visitor: v, startup: true}, nil
}

// full says which limit one more connection of v would break. The limits of the address come first: where it has reached its own it
// does not count against those of all.
func (d *doors) full(v *visitor, now time.Time) error {
	l := d.limits
	reached := func(n, limit int) bool { return limit > 0 && n >= limit }
	switch {
	case reached(v.connections, l.ConnectionsPerAddress):
		return &limitError{"connections_per_address", l.ConnectionsPerAddress}
	case reached(v.startups, l.StartupsPerAddress):
		return &limitError{"startups_per_address", l.StartupsPerAddress}
	case reached(d.connections, l.Connections):
		return &limitError{"connections", l.Connections}
	case !v.known && l.Startups.refuses(d.startups, d.dice()):
		return &limitError{"startups", l.Startups.Full}
	}
	burst := float64(max(l.ConnectionsPerAddress, l.ConnectionsPerSecond))
	if v.arrivals.take(now, float64(l.ConnectionsPerSecond), burst, 1) > 0 {
		v.arrivals.refund(1) // one that was refused is not held against it
		return &limitError{"connections_per_second", l.ConnectionsPerSecond}
	}
	return nil
}

// loggedIn says that the connection is a device's: what it has cost its address is given back.
func (v *visit) loggedIn() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settleStartup(false)
	v.known = true
	if v.admitted { // once for each connection: a device must not wash its address clean
		return
	}
	v.admitted = true
	v.arrivals.refund(1)
	v.commands.refund(float64(v.sent))
}

// loggedOut says that it is anybody's again.
func (v *visit) loggedOut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settleStartup(true)
	v.sent = 0
}

func (v *visit) settleStartup(startup bool) {
	if v.startup == startup {
		return
	}
	change := 1
	if v.startup = startup; !startup {
		change = -1
	}
	v.doors.startups += change
	v.visitor.startups += change
}

// leave says that the connection is closed.
func (v *visit) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settleStartup(false)
	v.doors.connections--
	v.visitor.connections--
	v.total.give()
}

// command counts a command before login. It returns how long to wait, or a *limitError when it was one too many for the connection.
func (v *visit) command(cost float64) (time.Duration, error) {
	limit := v.limits.CommandsBeforeLogin
	if limit == 0 {
		return 0, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent++
	if v.sent > limit {
		return 0, &limitError{"commands_before_login", limit}
	}
	return v.commands.take(v.now(), float64(limit)/60, float64(limit), cost), nil
}

// takePort counts a passive port that waits for the address.
func (v *visit) takePort() (release func(), err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if limit := v.limits.PassivePortsPerAddress; limit > 0 && v.ports >= limit {
		return nil, errors.Join(errNoPort, &limitError{"passive_ports_per_address", limit})
	}
	v.ports++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.ports--
	}, nil
}

// places are a number of things of which each can be had by one at a time.
type places struct {
	most  int // 0 is no limit
	taken atomic.Int64
}

// take reports whether there was one left.
func (p *places) take() bool {
	if p.taken.Add(1) > int64(p.most) && p.most > 0 {
		p.taken.Add(-1)
		return false
	}
	return true
}

func (p *places) give() { p.taken.Add(-1) }
