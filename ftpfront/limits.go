// SPDX-License-Identifier: Apache-2.0

package ftpfront

import "time"

// Limits bound what strangers and devices of one zone can make the gateway hold or do. In each field 0 is no limit. The defaults, the
// reply codes and what each is good for stand in docs/limits.md.
type Limits struct {
	Connections           int // control connections of the zone
	ConnectionsPerAddress int
	// ConnectionsPerSecond is how many connections an address may make in the long run that come to no login; as many as
	// ConnectionsPerAddress may come at once.
	ConnectionsPerSecond int
	// Startups bounds the connections that have not logged in, and StartupsPerAddress those of one address.
	Startups           Startups
	StartupsPerAddress int
	SessionsPerDevice  int

	LoginAttempts           int           // that may fail for a user at an address before the two are locked out
	LoginAttemptsPerAddress int           // that may fail at an address, whatever the users, before it is locked out
	LoginDelay              time.Duration // what each failed login adds to the wait before its reply
	Lockout                 time.Duration // how long who is locked out stays so, and how long a failure counts

	CommandsPerSecond int // in the long run; ten times as many may come at once
	// CommandsBeforeLogin is how many commands a connection may send before it logs in, and an address in a minute.
	CommandsBeforeLogin int
	BadCommands         int // lines of a session that are no command
	LineLength          int // bytes, without the end of the line

	PassivePortsPerAddress int
	MinimumRate            int64 // bytes per second of a data connection, over StallTimeout
}

// Startups is the random early drop of connections that have not logged in, as sshd has it (MaxStartups): from Start of them on a
// connection is refused with a chance of Rate percent, which grows until at Full all are refused. A Full of 0 is no limit.
type Startups struct{ Start, Rate, Full int }

// refuses decides about one more connection when n have not logged in; dice is from 0 up to 99.
func (s Startups) refuses(n, dice int) bool {
	switch {
	case s.Full == 0 || n < s.Start:
		return false
	case n >= s.Full:
		return true
	}
	return dice < s.Rate+(100-s.Rate)*(n-s.Start)/(s.Full-s.Start)
}

// Totals bound what all zones have together. In each field 0 is no limit, but for PasswordChecks.
type Totals struct {
	Connections    int // control connections
	Transfers      int // at a time, listings included
	PasswordChecks int // at a time; 0 is one for each processor
}

// lineLength is how long a command line may be.
func (l Limits) lineLength() int {
	if l.LineLength == 0 {
		return maxLine
	}
	return l.LineLength
}
