// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// exchange is one command and its replies.
type exchange struct {
	session     *session
	verb        string            // upper case; empty where the line is no known command
	args        string            // as sent; empty where it is secret
	secret      credential.Secret // the argument of a command that carries one; the whole line where it is no known command
	begin       time.Time
	preliminary []string
}

// parse splits a command line (RFC 959, 5.3.1: the verb in any case, one space, the argument up to the end). What comes out in clear
// is what the table of commands knows to be no secret. A device that is out of step sends its password where a verb belongs, so that
// a line with an unknown verb stays a secret as a whole.
func (s *session) parse(line credential.Secret) *exchange {
	verb, args, _ := strings.Cut(line.Reveal(), " ")
	x := &exchange{session: s, verb: strings.ToUpper(verb), begin: time.Now()}
	switch cmd, known := s.front.commands[x.verb]; {
	case !known:
		x.verb, x.secret = "", line
	case cmd.secret:
		x.secret = credential.NewSecret(args)
	default:
		x.args = args
	}
	return x
}

// announce sends a preliminary reply (1yz).
func (x *exchange) announce(r reply) error {
	r = x.session.quirks.shape(r)
	x.preliminary = append(x.preliminary, fmt.Sprintf("%03d %s", r.code, r.summary()))
	return x.session.write(r)
}

// finish puts the exchange on record and sends the final reply: the device sees none that the log does not have.
func (x *exchange) finish(r reply) error {
	r = x.session.quirks.shape(r)
	if r.cause != nil {
		x.session.log.Info("command failed", "verb", x.recordableVerb(), "args", x.recordableArgs(), "code", r.code, "cause", r.cause)
	}
	if err := x.note(r); err != nil {
		s := x.session
		s.front.repeats.report("a command is not on record, its session ends", err, "session", s.who.ID, "zone", s.zone.Name, "peer", s.who.Peer)
		r = reply{code: 421, text: "Service not available.", hangup: true}
	}
	if err := x.session.write(r); err != nil {
		return err
	}
	x.session.tell(r)
	switch {
	case r.hangup:
		return errHungUp
	case r.then != nil:
		return r.then()
	}
	return nil
}

// note puts the exchange with its final reply on record.
func (x *exchange) note(r reply) error {
	rec := x.session.record(audit.Command)
	rec.CommandFields = &audit.CommandFields{
		Verb: x.recordableVerb(), Args: x.recordableArgs(), Code: r.code, Text: shortened(r.summary()),
		Preliminary: x.preliminary, Duration: time.Since(x.begin).Microseconds(),
	}
	if r.cause != nil {
		rec.Cause = r.cause.Error()
	}
	return x.session.front.log.Note(rec)
}

// shortened cuts a text that is a listing of thousands of lines: the record says that it was given, and its size.
func shortened(text string) string {
	const limit = 2048
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:limit], ""), len(text))
}

// recordableVerb is the verb for the record.
func (x *exchange) recordableVerb() string {
	if x.verb == "" && x.secret.Len() > 0 {
		return x.secret.String()
	}
	return x.verb
}

// recordableArgs is the argument for the record.
func (x *exchange) recordableArgs() string {
	switch {
	case x.verb != "" && x.secret.Len() > 0:
		return x.recordableSecret()
	case x.verb == "USER":
		return x.session.front.login.Load().recordable(x.args)
	}
	return x.args
}

// recordableSecret is what may be told of an argument that can be a secret: the words that are known to be none. On other servers
// some sub-commands of SITE carry passwords.
func (x *exchange) recordableSecret() string {
	args := x.secret.Reveal()
	sub, rest, _ := strings.Cut(args, " ")
	word := strings.ToUpper(sub)
	known := false
	switch x.verb {
	case "SITE":
		known = word == "CHMOD" || word == "HELP"
	case "HELP":
		_, known = x.session.front.commands[word]
		known = known && rest == ""
	case "AUTH":
		_, known = mechanism(args)
	}
	if !known {
		return x.secret.String()
	}
	return args
}
