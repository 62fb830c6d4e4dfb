// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxSuspects is how many addresses with failed logins a zone remembers.
	maxSuspects = 4096
	// maxUsers is how many users of one address are told apart.
	maxUsers = 64
)

// errLocked says that a login is not looked at: too many have failed.
var errLocked = errors.New("locked out after too many failed logins")

// guard counts failed logins and locks out. What it counts by is the user together with the address: nobody can lock a device out
// from elsewhere. Whoever tries one password on many users is stopped by the count of the address over all users; a user that has
// logged in from there before is not, so that a guesser behind the same address translation locks nobody else out either.
type guard struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	suspects *table[netip.Addr, suspect]
}

// suspect is an address at which somebody tries to log in. It is guarded by the guard's lock.
type suspect struct {
	strikes
	users map[string]*attempts
}

// attempts are those of one user at one address.
type attempts struct {
	strikes
	good time.Time // when a login succeeded last
}

// strikes are failures, and what has come of them.
type strikes struct {
	failed  int
	last    time.Time // when failed was counted up last
	until   time.Time // locked out
	pending int       // being checked
	changed chan struct{}
}

func newGuard(l Limits) *guard {
	return &guard{limits: l, now: time.Now, suspects: newTable[netip.Addr](maxSuspects, func(s *suspect) int64 {
		if s.pending > 0 {
			return keep
		}
		worth := max(s.last.Unix(), s.until.Unix()) // who is locked out is forgotten last
		for _, a := range s.users {
			worth = max(worth, a.last.Unix(), a.until.Unix(), a.good.Unix())
		}
		return worth
	})}
}

// attempt is one login that is being looked at.
type attempt struct {
	guard *guard
	of    *suspect
	user  *attempts
	known bool // the user has logged in from this address before
}

// begin admits one attempt, or returns errLocked. Attempts that are being looked at count as failed until it is known better, so
// that many at once are no more than one after the other: those above the limit wait. An attempt must end.
func (g *guard) begin(ctx context.Context, from netip.Addr, user string) (*attempt, error) {
	for {
		a, wait, err := g.try(from, user)
		if wait == nil {
			return a, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try returns an attempt, or what to wait for, or errLocked.
func (g *guard) try(from netip.Addr, user string) (*attempt, <-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	s := g.suspects.entry(from)
	u := s.user(user)
	known := !u.good.IsZero()
	s.forgive(now, g.limits.Lockout)
	u.forgive(now, g.limits.Lockout)
	watched := []struct {
		*strikes
		limit int
	}{{&u.strikes, g.limits.LoginAttempts}, {&s.strikes, g.limits.LoginAttemptsPerAddress}}
	for _, w := range watched {
		if w.strikes == &s.strikes && known || w.limit == 0 {
			continue
		}
		switch {
		case now.Before(w.until):
			return nil, nil, fmt.Errorf("%w until %s", errLocked, w.until.UTC().Format(time.RFC3339))
		case w.pending > 0 && w.failed+w.pending >= w.limit:
			return nil, w.wait(), nil
		}
	}
	u.pending++
	s.pending++
	return &attempt{guard: g, of: s, user: u, known: known}, nil, nil
}

// user finds or makes the count of one user. Where there are too many the one that was seen longest ago and is not locked goes; the
// count of the address stops whoever tries as many.
func (s *suspect) user(name string) *attempts {
	if u, ok := s.users[name]; ok {
		return u
	}
	if s.users == nil {
		s.users = make(map[string]*attempts)
	}
	if len(s.users) >= maxUsers {
		s.dropUser()
	}
	u := new(attempts)
	s.users[name] = u
	return u
}

func (s *suspect) dropUser() {
	names := make([]string, 0, len(s.users))
	for name, u := range s.users {
		if u.pending == 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	seen := func(name string) int64 {
		u := s.users[name]
		return max(u.last.Unix(), u.until.Unix(), u.good.Unix())
	}
	delete(s.users, slices.MinFunc(names, func(a, b string) int { return cmp.Compare(seen(a), seen(b)) }))
}

// end says how the attempt went. What is locked out by it is returned as the limits' names, and for how many failures the reply
// should be delayed.
func (a *attempt) end(right bool) (locked []string, failures int) {
	g := a.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	a.of.settle()
	a.user.settle()
	if right {
		a.user.failed, a.user.good = 0, now
		return nil, 0 // the address keeps its count: one good login must not pay for guesses at others
	}
	if a.user.strike(now, g.limits.LoginAttempts, g.limits.Lockout) {
		locked = append(locked, "login_attempts")
	}
	if a.of.strike(now, g.limits.LoginAttemptsPerAddress, g.limits.Lockout) {
		locked = append(locked, "login_attempts_per_address")
	}
	return locked, max(a.user.failed, a.of.failed)
}

// drop gives up an attempt of which nothing has come.
func (a *attempt) drop() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	a.of.settle()
	a.user.settle()
}

// forgive forgets what lies back long enough.
func (s *strikes) forgive(now time.Time, after time.Duration) {
	if s.failed > 0 && now.Sub(s.last) >= after && !now.Before(s.until) {
		s.failed = 0
	}
}

// strike counts a failure and reports whether it locks out.
func (s *strikes) strike(now time.Time, limit int, lockout time.Duration) bool {
	s.failed++
	s.last = now
	if limit == 0 || s.failed < limit {
		return false
	}
	s.until = now.Add(lockout)
	return true
}

// wait is closed when an attempt has ended.
func (s *strikes) wait() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *strikes) settle() {
	s.pending--
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
