// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// maxFailures is how many logins may fail in one session; delayStep is what each adds to the wait before its reply.
const (
	maxFailures = 5
	delayStep   = 500 * time.Millisecond
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
	d, err := s.front.login.Load().check(ctx, user, x.secret, s.who.Peer.Addr())
	if err == nil { // behind the password, so that the reply tells nobody that it was right
		err = d.certified(s.certificate())
	}
	if err != nil {
		return s.loginFailed(ctx, user, err)
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
	r := s.record(audit.LoginOK)
	r.User, r.Detail = user, s.tls.facts()
	if err := s.front.log.Record(ctx, r); err != nil {
		s.logout()
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	s.failures = 0
	return answer(230, "Logged in.")
}

// conduitUp is an error where the zone wants nobody to log in while the device's conduit is down.
func (s *session) conduitUp(ctx context.Context) error {
	if !s.zone.RefuseWithoutConduit {
		return nil
	}
	return s.front.gateway.Reachable(ctx, s.who)
}

// loginFailed puts the failure on record, durably, and makes the device wait longer each time.
func (s *session) loginFailed(ctx context.Context, user string, cause error) reply {
	if !errors.Is(cause, errLogin) {
		return reply{code: 421, text: "Service not available.", cause: cause, hangup: true}
	}
	s.failures++
	user = s.front.login.Load().recordable(user)
	cause = fmt.Errorf("user %q: %w", user, cause)
	r := s.record(audit.LoginFailed)
	r.User, r.Cause, r.Detail = user, cause.Error(), s.tls.facts()
	if err := s.front.log.Record(ctx, r); err != nil {
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	}
	wait := time.NewTimer(time.Duration(s.failures) * delayStep)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return failure(beforeTransfer, context.Cause(ctx))
	}
	if s.failures >= maxFailures {
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

// abs is the clean absolute path that an argument means; the root has no parent.
func (s *session) abs(arg string) string {
	arg = s.quirks.name(arg)
	if path.IsAbs(arg) {
		return path.Clean(arg)
	}
	return path.Join(s.cwd, arg)
}
