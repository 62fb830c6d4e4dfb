// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// ZoneLimits bound what strangers and devices of one zone can make the gateway hold or do.
type ZoneLimits struct {
	Connections             int
	ConnectionsPerAddress   int
	ConnectionsPerSecond    int
	Startups                Startups
	StartupsPerAddress      int
	SessionsPerDevice       int
	LoginAttempts           int
	LoginAttemptsPerAddress int
	LoginDelay              time.Duration
	Lockout                 time.Duration
	CommandsPerSecond       int
	CommandsBeforeLogin     int
	BadCommands             int
	LineLength              int
	PassivePortsPerAddress  int
	MinimumRate             int64 // bytes per second
}

// Startups is the random early drop of connections that have not logged in: from Start of them on one more is refused with a chance
// of Rate percent, which grows until at Full all are.
type Startups struct{ Start, Rate, Full int }

func zoneLimitsSpec() blockSpec {
	return blockSpec{
		name: "limits", count: "at most one",
		meaning: "What strangers and devices of the zone can make the gateway hold or do. See [limits](limits.md).",
		attributes: []attribute{
			{name: "connections", kind: kindNumber, fallback: "2000", example: "200",
				meaning: "Control connections of the zone at a time. One more is answered with 421."},
			{name: "connections_per_address", kind: kindNumber, fallback: "100", example: "10",
				meaning: "Control connections of one address at a time. One more is answered with 421."},
			{name: "connections_per_second", kind: kindNumber, fallback: "2", example: "1",
				meaning: "Connections of one address in the long run that come to no login; connections_per_address of them may come at once. What is more is answered with 421."},
			{name: "startups", kind: kindText, fallback: "200:30:600", example: `"20:30:60"`,
				meaning: "Connections that have not logged in (as MaxStartups of sshd): from the first number on, one more is answered with 421 with a chance of the second number in percent, which grows until, at the third number, all are. An address from which a device has logged in before is let in."},
			{name: "startups_per_address", kind: kindNumber, fallback: "30", example: "5",
				meaning: "Connections of one address that have not logged in. One more is answered with 421."},
			{name: "sessions_per_device", kind: kindNumber, fallback: "64", example: "4",
				meaning: "Sessions at a time that are logged in as one device. One more is answered with 421, after the password."},
			{name: "login_attempts", kind: kindNumber, fallback: "5", example: "3",
				meaning: "Failed logins of one user from one address before this user is locked out at this address, and only there."},
			{name: "login_attempts_per_address", kind: kindNumber, fallback: "20", example: "10",
				meaning: "Failed logins from one address, whatever the users, before all users are locked out at this address but those that have logged in from it before."},
			{name: "login_delay", kind: kindDuration, fallback: "500ms", example: `"1s"`,
				meaning: "What each failed login adds to the wait before the next reply to one; 10 s at most."},
			{name: "lockout", kind: kindDuration, fallback: "5m", example: `"1h"`,
				meaning: "How long who is locked out stays so, and how long a failed login counts."},
			{name: "commands_per_second", kind: kindNumber, fallback: "100", example: "20",
				meaning: "Commands of a session in the long run; ten times as many may come at once, and a transfer that succeeds gives back 16. What comes faster waits."},
			{name: "commands_before_login", kind: kindNumber, fallback: "100", example: "30",
				meaning: "Commands of a connection before it logs in, then 421; and of an address in a minute, beyond which they wait. A login gives back what led to it."},
			{name: "bad_commands", kind: kindNumber, fallback: "20", example: "10",
				meaning: "Lines of a session that are no command, then 421."},
			{name: "line_length", kind: kindNumber, fallback: "4112", example: "1024",
				meaning: "Length of a command line in bytes, without its end. A longer one is answered with 500."},
			{name: "passive_ports_per_address", kind: kindNumber, fallback: "100", example: "10",
				meaning: "Passive ports that wait for one address; a session has one at most. One more is answered with 425."},
			{name: "minimum_rate", kind: kindSize, fallback: "8B", example: `"100B"`,
				meaning: "Bytes per second that a data connection must move, counted over every stall_timeout that is spent waiting for the device. One that is slower is ended with 426."},
		},
	}
}

// zoneLimits reads the limits block in a zone.
func (b body) zoneLimits() ZoneLimits {
	block := &hcl.Block{Type: "limits", Body: hcl.EmptyBody()}
	blocks := b.content.Blocks.OfType("limits")
	for i, extra := range blocks {
		if i > 0 {
			b.fail(extra.DefRange, "Duplicate limits", "The limits block was already defined at %s.", place(blocks[0].DefRange))
		}
	}
	if len(blocks) > 0 {
		block = blocks[0]
	}
	l := b.open(zoneLimitsSpec(), block.Body, "", block.DefRange)
	const most = 100_000
	return ZoneLimits{
		Connections: l.number("connections", 1, most), ConnectionsPerAddress: l.number("connections_per_address", 1, most),
		ConnectionsPerSecond: l.number("connections_per_second", 1, most),
		Startups:             l.startups(), StartupsPerAddress: l.number("startups_per_address", 1, most),
		SessionsPerDevice: l.number("sessions_per_device", 1, most),
		LoginAttempts:     l.number("login_attempts", 1, 1000), LoginAttemptsPerAddress: l.number("login_attempts_per_address", 1, most),
		LoginDelay: l.duration("login_delay"), Lockout: l.duration("lockout"),
		CommandsPerSecond: l.number("commands_per_second", 1, most), CommandsBeforeLogin: l.number("commands_before_login", 5, most),
		BadCommands: l.number("bad_commands", 1, most), LineLength: l.number("line_length", 128, 16384),
		PassivePortsPerAddress: l.number("passive_ports_per_address", 1, 65535), MinimumRate: l.size("minimum_rate"),
	}
}

func (b body) startups() Startups {
	text, ok := b.text("startups")
	if !ok {
		return Startups{}
	}
	s, err := parseStartups(text.text)
	if err != nil {
		b.invalid("startups", text, err)
	}
	return s
}

// parseStartups reads start:rate:full.
func parseStartups(text string) (Startups, error) {
	fields := strings.Split(text, ":")
	var n [3]int
	for i := range n {
		if len(fields) != len(n) {
			return Startups{}, fmt.Errorf("%q is not three numbers with colons between, such as \"20:30:60\"", text)
		}
		var err error
		if n[i], err = strconv.Atoi(fields[i]); err != nil || n[i] < 1 {
			return Startups{}, fmt.Errorf("%q is not a whole number above zero", fields[i])
		}
	}
	s := Startups{n[0], n[1], n[2]}
	switch {
	case s.Rate > 100:
		return Startups{}, fmt.Errorf("a chance of %d percent is more than certain", s.Rate)
	case s.Start > s.Full:
		return Startups{}, fmt.Errorf("the first number, %d, is above the third, %d", s.Start, s.Full)
	}
	return s, nil
}
