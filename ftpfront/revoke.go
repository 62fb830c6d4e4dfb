// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"
)

// errRevoked ends the sessions of a device that the configuration no longer has, or has in another form.
var errRevoked = errors.New("the device was removed from the configuration, or changed")

// standing is what decides from outside whether a session may go on. Its fields are guarded by the lock.
type standing struct {
	sync.Mutex
	idle   bool                    // a command line is waited for
	ended  error                   // why the session must end as soon as it is idle: errShutdown, errRevoked or errIsland
	device *Device                 // who is logged in
	task   *task                   // what is being transferred, or nil
	cut    context.CancelCauseFunc // ends what the session is doing
}

// Replace puts another configuration into force: those who may log in, and whatever else belongs to it with apply, which is called
// once. Nobody logs in between the two. A session of a device that is as it was goes on; where the device is gone or changed, the
// session is cut, and a transfer with it, before apply is called. The number of those that were cut is returned.
func (f *Front) Replace(devices []Device, apply func()) (cut int) {
	fresh := newLogin(devices, f.seed)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.login.Store(fresh)
	for s := range f.sessions {
		if s.review() {
			cut++
		}
	}
	apply()
	return cut
}

// enter notes who is logged in, or nobody. It fails where the device has been revoked since its password was checked, and where it
// has as many sessions as it may.
func (s *session) enter(d *Device) error {
	s.front.mu.Lock() // Replace is over, or has not begun
	defer s.front.mu.Unlock()
	s.turn.Lock()
	before := s.turn.device
	s.turn.device = d
	s.turn.Unlock()
	if err := s.front.moveLocked(s.zone, before, d); err != nil {
		s.turn.Lock()
		s.turn.device = nil
		s.turn.Unlock()
		return err
	}
	if s.review() {
		return errRevoked
	}
	return nil
}

// review cuts the session if its device is no longer there as it logged in, and reports whether it is not.
func (s *session) review() bool {
	s.turn.Lock()
	device := s.turn.device
	s.turn.Unlock()
	if device == nil || s.front.login.Load().has(*device) {
		return false
	}
	s.expel(errRevoked)
	return true
}

// expel cuts the session.
func (s *session) expel(cause error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.turn.ended = cause
	s.turn.cut(cause)
	s.wakeLocked()
}

// drain ends the session as soon as no command is being carried out.
func (s *session) drain() {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.turn.ended == nil {
		s.turn.ended = errShutdown
	}
	s.wakeLocked()
}

// wakeLocked ends the wait for a command line.
func (s *session) wakeLocked() {
	if !s.turn.idle {
		return
	}
	if err := s.conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		s.log.Debug("wake an idle session", "error", err)
	}
}

// has reports whether a device is there in exactly this form.
func (l *login) has(d Device) bool {
	return slices.ContainsFunc(l.devices[d.User], func(other Device) bool { return reflect.DeepEqual(other, d) })
}
