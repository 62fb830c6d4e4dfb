// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

const (
	// unknownCost is what a line that is no command costs, in commands.
	unknownCost = 5
	// transferRefund is given back for a transfer that has succeeded: whoever moves files is not idling, and is bounded by that.
	transferRefund = 16
	// maxPause bounds one wait for a session that is too fast.
	maxPause = 10 * time.Second
	// lingering is how long, and maxSwallowed how many bytes, a session that was ended for what it sent is still read from: closed at
	// once, the connection would be reset and the device never see the reply.
	lingering    = time.Second
	maxSwallowed = 256 << 10
)

// errTooManyBad and errTooManyEarly end sessions that send what is no command, or everything but a login.
var (
	errTooManyBad   = errors.New("too many lines that are no command")
	errTooManyEarly = errors.New("too many commands before login")
)

// pace is how fast one session may send commands.
type pace struct {
	commands bucket
	bad      int           // lines that were no command
	owed     time.Duration // to be waited before the next line is read
}

// spend counts one line. Known says that it was a command. An error says that the session has to end.
func (s *session) spend(known bool) error {
	l := s.zone.Limits
	cost := 1.0
	if !known {
		cost = unknownCost
		if s.pace.bad++; l.BadCommands > 0 && s.pace.bad > l.BadCommands {
			return fmt.Errorf("%w: %w", errTooManyBad, &limitError{"bad_commands", l.BadCommands})
		}
	}
	var err error
	if s.who.Device == "" {
		s.pace.owed, err = s.visit.command(cost)
		if err != nil {
			return fmt.Errorf("%w: %w", errTooManyEarly, err)
		}
	} else {
		rate := float64(l.CommandsPerSecond)
		s.pace.owed = s.pace.commands.take(time.Now(), rate, rate*10, cost)
	}
	if s.pace.owed > 0 {
		s.incident(audit.SecurityFlood, "commands_per_second", errors.New("commands come faster than the zone allows"), 0)
	}
	return nil
}

// pause waits until the session may send its next command.
func (s *session) pause(ctx context.Context) {
	wait := min(s.pace.owed, maxPause)
	s.pace.owed = 0
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.front.drained:
	}
}

// overflow is the reply to a line that was one too many.
func overflow(err error) reply {
	return reply{code: 421, text: "Too many commands, closing control connection.", cause: err, hangup: true, swallow: true}
}

// swallow reads on for a moment behind the last reply, so that it arrives, and returns how many lines were thrown away.
func (s *session) swallow() (lines int) {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		if err := c.CloseWrite(); err != nil {
			s.log.Debug("end of a control connection", "error", err)
			return 0
		}
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(lingering)); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("end of a control connection", "error", err)
		return 0
	}
	for range maxSwallowed {
		b, err := s.lines.r.ReadByte()
		if err != nil {
			break
		}
		if b == '\n' {
			lines++
		}
	}
	return lines
}

// incident puts an attack of this session, or a limit that it reached, on record.
func (s *session) incident(event audit.Event, kind string, cause error, lines int) {
	r := s.record(event)
	r.Cause = cause.Error()
	s.front.incidents.report(r, s.who.Peer.Addr(), kind, lines)
}
