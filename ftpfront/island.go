// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"

	"github.com/ftpgw/ftpgw/gateway"
)

// errIsland ends all sessions while the gateway is an island, and keeps new ones from beginning.
var errIsland = errors.New("the gateway is an island")

// SetIsland cuts all sessions, transfers included, and answers each new one with 421 instead of a greeting, until it is called with
// false. The listeners stay open: a device that is told to come back later keeps its files.
func (f *Front) SetIsland(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.island = on
	if !on {
		return
	}
	for s := range f.sessions {
		s.bar()
	}
}

// BreakOff breaks off all transfers that are under way across a conduit. Their sessions go on.
func (f *Front) BreakOff() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.sessions {
		s.turn.Lock()
		if t := s.turn.task; t != nil && t.crosses {
			t.running.cancel(gateway.ErrIsland)
		}
		s.turn.Unlock()
	}
}

// bar ends the session with a 421.
func (s *session) bar() { s.expel(errIsland) }

// barred is errIsland where the session must not begin.
func (s *session) barred() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if errors.Is(s.turn.ended, errIsland) {
		return errIsland
	}
	return nil
}
