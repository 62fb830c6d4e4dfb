// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// exchange is one command and its replies.
type exchange struct {
	session     *session
	verb        string // upper case
	args        string // as sent
	begin       time.Time
	preliminary []string
}

// masked stands for an argument that is a secret.
const masked = "****"

// parse splits a command line (RFC 959, 5.3.1: the verb in any case, one space, the argument up to the end).
func (s *session) parse(line string) *exchange {
	verb, args, _ := strings.Cut(line, " ")
	return &exchange{session: s, verb: strings.ToUpper(verb), args: args, begin: time.Now()}
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
		x.session.log.Error("audit log failed, session ends", "error", err)
		r = reply{code: 421, text: "Service not available.", hangup: true}
	}
	if err := x.session.write(r); err != nil {
		return err
	}
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

// recordableVerb is the verb for the record. A device out of step sends its password where a verb belongs, so that what is no known
// command is masked as a whole.
func (x *exchange) recordableVerb() string {
	if _, known := x.session.front.commands[x.verb]; !known && x.verb != "" {
		return masked
	}
	return x.verb
}

// recordableArgs masks what must be on no record: passwords and accounts, and whatever comes behind a verb that is not known.
func (x *exchange) recordableArgs() string {
	switch cmd, known := x.session.front.commands[x.verb]; {
	case x.args == "":
		return ""
	case !known, cmd.secret:
		return masked
	case x.verb == "SITE":
		return recordableSite(x.args)
	default:
		return x.args
	}
}

// recordableSite masks what follows a sub-command that is not known here: on other servers some of them carry passwords.
func recordableSite(args string) string {
	sub, rest, _ := strings.Cut(args, " ")
	switch strings.ToUpper(sub) {
	case "CHMOD", "HELP":
		return args
	}
	if rest == "" {
		return sub
	}
	return sub + " " + masked
}
