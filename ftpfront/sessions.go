// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"net/netip"
	"slices"
	"time"
)

// SessionState is one session as it is now, for operators.
type SessionState struct {
	ID       string
	Zone     string
	Device   string // empty before login
	Peer     netip.AddrPort
	Since    time.Time
	Transfer *TransferState // nil while none is running
}

// TransferState is one transfer that is running, listings included.
type TransferState struct {
	Verb  string
	Args  string // as the device sent them
	Bytes int64  // over the data connection so far
	Since time.Time
}

// task is a transfer that is running.
type task struct {
	exchange *exchange
	running  *running
	crosses  bool // it goes across a conduit
}

// Sessions are those that are open, the oldest first.
func (f *Front) Sessions() []SessionState {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]SessionState, 0, len(f.sessions))
	for s := range f.sessions {
		list = append(list, s.state())
	}
	slices.SortFunc(list, func(a, b SessionState) int { return a.Since.Compare(b.Since) })
	return list
}

func (s *session) state() SessionState {
	s.turn.Lock()
	defer s.turn.Unlock()
	state := SessionState{ID: s.who.ID, Zone: s.who.Zone, Peer: s.who.Peer, Since: s.begun}
	if s.turn.device != nil {
		state.Device = s.turn.device.Name
	}
	if t := s.turn.task; t != nil {
		state.Transfer = &TransferState{
			Verb: t.exchange.verb, Args: printable(t.exchange.recordableArgs()), Bytes: t.running.moved.Load(), Since: t.exchange.begin,
		}
	}
	return state
}

// busy notes what is being transferred; nil is nothing.
func (s *session) busy(t *task) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.turn.task = t
}
