// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/policy"
)

// maxFailures is how many logins may fail in one session; maxDelay bounds the wait before the reply to one.
const (
	maxFailures = 5
	maxDelay    = 10 * time.Second
)

// user_ takes the name. Whether it exists is not told: every name is asked for a password.
func (s *session) user_(_ context.Context, x *exchange) reply {
	s.logout()
	s.user = x.args
	return answer(331, "Password required.")
}

// pass checks the password. A failure does not close the connection: many devices try again on the same one.
func (s *session) pass(ctx context.Context, x *exchange) reply {
	if s.user == "" {
		return answer(503, "Send USER first.")
	}
	user := s.user
	s.user = ""
	d, r := s.authenticate(ctx, user, x.secret)
	if r.code != 0 {
		return r
	}
	if err := s.enter(&d); err != nil {
		return failure(beforeTransfer, err)
	}
	s.who.Device, s.who.Home, s.quirks = d.Name, d.Home, d.Quirks.Or(s.zone.Quirks)
	if err := s.conduitUp(ctx); err != nil {
		s.logout()
		return reply{code: 421, text: "Service not available, try again later.", cause: err, hangup: true}
	}
	s.who.TLS, s.who.Certificate = s.tls != nil, certificateNames(s.certificate())
	s.log = s.log.With("device", d.Name)
	ok := s.record(audit.LoginOK)
	ok.User, ok.Detail = user, s.tls.facts()
	if err := s.front.log.Record(ctx, ok); err != nil {
		s.logout()
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	s.failures = 0
	s.visit.loggedIn()
	return answer(230, "Logged in.")
}

// authenticate finds the device that may log in, or the reply that refuses it. All refusals look the same to the device, and a user
// that does not exist takes the same way as one that does.
func (s *session) authenticate(ctx context.Context, user string, password credential.Secret) (Device, reply) {
	peer := s.who.Peer.Addr()
	attempt, err := s.zone.guard.begin(ctx, peer, user)
	switch {
	case errors.Is(err, errLocked):
		return Device{}, s.lockedOut(ctx, user, err)
	case err != nil:
		return Device{}, reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	d, err := s.front.login.Load().check(ctx, s.front.checker, user, password, peer, attempt.known)
	if err == nil { // behind the password, so that the reply tells nobody that it was right
		err = d.certified(s.certificate())
	}
	if err != nil && !errors.Is(err, errLogin) {
		attempt.drop()
		return Device{}, reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	locked, failures := attempt.end(err == nil)
	if err == nil {
		return d, reply{}
	}
	return Device{}, s.loginFailed(ctx, user, err, locked, failures)
}

// lockedOut answers a login that is not looked at.
func (s *session) lockedOut(ctx context.Context, user string, cause error) reply {
	cause = fmt.Errorf("user %q: %w", s.front.login.Load().recordable(user), cause)
	s.incident(audit.LoginLocked, "refused", cause, 0)
	if err := s.delay(ctx, s.zone.Limits.LoginDelay); err != nil {
		return failure(beforeTransfer, err)
	}
	return reply{code: 421, text: "Too many failed logins.", cause: cause, hangup: true}
}

// delay waits before a reply to a failed login.
func (s *session) delay(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(min(d, maxDelay))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// conduitUp is an error where the zone wants nobody to log in while the device's conduit is down.
func (s *session) conduitUp(ctx context.Context) error {
	if !s.zone.RefuseWithoutConduit {
		return nil
	}
	return s.front.gateway.Reachable(ctx, s.who)
}

// loginFailed puts the failure on record, durably, and makes the device wait longer each time. locked names the limits that it has
// reached; failures is how many there have been of the user or the address.
func (s *session) loginFailed(ctx context.Context, user string, cause error, locked []string, failures int) reply {
	s.failures++
	user = s.front.login.Load().recordable(user)
	cause = fmt.Errorf("user %q: %w", user, cause)
	r := s.record(audit.LoginFailed)
	r.User, r.Cause, r.Detail = user, cause.Error(), s.tls.facts()
	if err := s.front.log.Record(ctx, r); err != nil {
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	for _, limit := range locked {
		lock := s.record(audit.LoginLocked)
		lock.User, lock.Cause = user, fmt.Sprintf("%s failed logins, locked out for %s", limit, s.zone.Limits.Lockout)
		lock.Detail = map[string]string{"kind": limit}
		if err := s.front.log.Note(lock); err != nil { // there are few: each takes several failures
			return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
		}
	}
	if err := s.delay(ctx, time.Duration(max(failures, s.failures))*s.zone.Limits.LoginDelay); err != nil {
		return failure(beforeTransfer, err)
	}
	if s.failures >= maxFailures || len(locked) > 0 {
		return reply{code: 421, text: "Too many failed logins.", cause: cause, hangup: true}
	}
	return answer(530, "Login incorrect.").because(cause)
}

// acct answers what needs no account (RFC 959, 4.1.1: 202, superfluous at this site).
func (s *session) acct(context.Context, *exchange) reply {
	return answer(s.quirks.superfluous(), "No account needed.")
}

// rein takes the session back to where it began. A transfer is never open here: commands wait for it.
func (s *session) rein(context.Context, *exchange) reply {
	s.logout()
	return answer(220, s.zone.Greeting)
}

func (s *session) quit(context.Context, *exchange) reply {
	return reply{code: 221, text: "Goodbye.", hangup: true}
}

// logout forgets the device and all parameters.
func (s *session) logout() {
	s.closeEndpoint()
	if s.who.Device != "" {
		s.visit.loggedOut()
		s.loginBy = time.Now().Add(s.zone.LoginTimeout)
	}
	_ = s.enter(nil) // nobody can be revoked
	s.who.Device, s.who.Home, s.user = "", "", ""
	s.who.TLS, s.who.Certificate = false, nil
	s.cwd, s.ascii, s.records, s.restart, s.allocated = "/", false, false, 0, policy.SizeUnknown
	s.quirks = s.zone.Quirks
	s.renameFrom, s.epsvOnly, s.facts = "", false, allFacts()
	s.hash = digests()[0].name
}

func (s *session) cwd_(ctx context.Context, x *exchange) reply {
	return s.changeDirectory(ctx, s.abs(x.args))
}

func (s *session) cdup(ctx context.Context, _ *exchange) reply {
	return s.changeDirectory(ctx, path.Dir(s.cwd))
}

func (s *session) changeDirectory(ctx context.Context, dir string) reply {
	if err := s.front.gateway.EnterDirectory(ctx, s.who, dir); err != nil {
		return failure(beforeTransfer, err)
	}
	s.cwd = dir
	return answer(250, "Directory changed.")
}

// abs is the clean absolute path that an argument means. The root is its own parent, so that ".." from there leads to it; but a path
// that goes down again from above the root means something elsewhere, and is left as it is, for the gateway to refuse.
func (s *session) abs(arg string) string {
	arg = s.quirks.name(arg)
	if !path.IsAbs(arg) {
		arg = s.cwd + "/" + arg
	}
	clean := path.Clean(arg)
	if clean != "/" && climbs(arg) {
		return arg
	}
	return clean
}

// climbs reports whether an absolute path leads above the root on its way.
func climbs(p string) bool {
	depth := 0
	for name := range strings.SplitSeq(p, "/") {
		switch name {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}
