// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/ascii"
	"github.com/ftpgw/ftpgw/internal/record"
	"github.com/ftpgw/ftpgw/policy"
)

// reply is one answer to a device: a code of RFC 959, 4.2 and a text that is fixed for it. What really happened is the cause: it
// goes to the log and the record, never to the device.
type reply struct {
	code   int
	text   string   // the last line
	lines  []string // the lines before it, where the reply has several
	cause  error
	hangup bool // the control connection is closed behind it
	// swallow has what still comes read for a moment, so that the device sees the reply before the connection ends.
	swallow bool
	then    func() error // done when the reply is out; an error ends the session
}

func answer(code int, text string) reply { return reply{code: code, text: text} }

// because adds the cause to a reply.
func (r reply) because(err error) reply {
	r.cause = err
	return r
}

// String is the reply as it goes over the wire: RFC 959, 4.2 for the form of several lines, of which the inner ones begin with a
// space so that none can be taken for the last.
func (r reply) String() string {
	if len(r.lines) == 0 {
		return fmt.Sprintf("%03d %s\r\n", r.code, printable(r.text))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%03d-%s\r\n", r.code, printable(r.lines[0]))
	for _, l := range r.lines[1:] {
		fmt.Fprintf(&b, " %s\r\n", printable(l))
	}
	fmt.Fprintf(&b, "%03d %s\r\n", r.code, printable(r.text))
	return b.String()
}

// printable takes out of a text what would end its line, or mean something to telnet: a name from elsewhere must not forge a reply.
func printable(text string) string {
	for i := range len(text) {
		if b := text[i]; b < 0x20 || b == 0x7f || b == telnetIAC {
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) || r == utf8.RuneError {
					return '?'
				}
				return r
			}, text)
		}
	}
	return text
}

// summary is the text of the reply for records.
func (r reply) summary() string {
	return strings.Join(append(r.lines[:len(r.lines):len(r.lines)], r.text), "\n")
}

// Causes that arise in the front itself.
var (
	errAborted     = error(&gateway.EvidenceError{Failed: gateway.NoAbort, Reason: "the device sent ABOR"})
	errControlLost = error(&gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "the control connection was lost during the transfer"})
	errShutdown    = errors.New("the gateway is shutting down")
	errIdle        = errors.New("no command came within the idle time")
	// errTooMuchAhead ends a transfer during which more commands arrive than are kept.
	errTooMuchAhead = errors.New("too many commands were sent ahead during the transfer")
)

// stage is how far a command had come when it failed: RFC 959, 5.4 has other codes for "could not begin" and "broke off".
type stage uint8

const (
	beforeTransfer stage = iota // no 150 was sent: 450 where trying again can help
	duringTransfer              // after the 150: 426 for the connections' trouble, 451 for ours
)

// failure is the reply table: one cause, one code, one text. The order is from the particular to the general, since a cause can
// wrap others.
func failure(st stage, err error) reply {
	var limit *gateway.LimitError
	switch {
	case errors.As(err, new(*limitError)) && !errors.Is(err, errNoPort):
		return reply{code: 421, text: "Too many sessions, try again later.", cause: err, hangup: true}
	case errors.Is(err, errAborted):
		return answer(426, "Transfer aborted.").because(err)
	case errors.Is(err, errRevoked):
		return reply{code: 421, text: "Service not available.", cause: err, hangup: true}
	case errors.Is(err, errIsland):
		return reply{code: 421, text: "Service not available, try again later.", cause: err, hangup: true}
	case errors.Is(err, errShutdown), errors.Is(err, context.Canceled):
		return reply{code: 421, text: "Service is shutting down.", cause: err, hangup: true}
	case errors.Is(err, errDataSecurity): // before errNoDataConnection, which it also is; RFC 4217 has this code for it
		return answer(522, "TLS negotiation of the data connection failed.").because(err)
	case errors.Is(err, errNoDataConnection), errors.Is(err, errNoPort):
		return answer(425, "Cannot open data connection.").because(err)
	case isDataTrouble(err):
		return answer(426, "Data connection lost, transfer aborted.").because(err)
	case errors.As(err, &limit):
		return beyond(limit).because(err)
	case gateway.IsTemporary(err) && !isFull(err): // before the refusals, which what is only down for now may wrap
		if st == duringTransfer {
			return answer(451, "Transfer failed, try again later.").because(err)
		}
		return answer(450, "Not available now, try again later.").because(err)
	}
	if r, ok := refusal(err); ok {
		return r.because(err)
	}
	switch {
	case st == duringTransfer:
		return answer(451, "Transfer failed, try again later.").because(err)
	case errors.Is(err, gateway.ErrChanged):
		return answer(450, "Not available now, try again later.").because(err)
	default:
		return answer(451, "Local error, try again later.").because(err)
	}
}

// beyond is the reply to what is beyond a limit. 452 and 552 are about storage, and so about uploads (RFC 959, 5.4).
func beyond(e *gateway.LimitError) reply {
	download := e.Op == policy.Download
	switch {
	case e.Permanent && download:
		return answer(550, "File is too large.")
	case e.Permanent:
		return answer(552, "File is too large.")
	case e.Limit == policy.Concurrent:
		return answer(450, "Too many transfers at a time, try again later.")
	case download:
		return answer(450, "Transfer limit reached, try again later.")
	default:
		return answer(452, "Transfer limit reached, try again later.")
	}
}

// isDataTrouble reports whether a transfer broke on the device's side.
func isDataTrouble(err error) bool {
	var data *dataError
	var incomplete *gateway.IncompleteError
	return errors.As(err, &data) || errors.As(err, &incomplete) ||
		errors.Is(err, errControlLost) || errors.Is(err, record.ErrTruncated)
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// refusal finds the causes that have a code of their own at every stage.
func refusal(err error) (reply, bool) {
	var denied *gateway.DeniedError
	switch {
	case isFull(err):
		return answer(452, "Insufficient storage space."), true
	case errors.Is(err, gateway.ErrTooMany):
		return answer(550, "Directory has too many entries to be listed."), true
	case errors.Is(err, gateway.ErrTooLarge):
		return answer(552, "File is too large."), true
	case errors.Is(err, gateway.ErrBadName), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return answer(553, "File name not allowed."), true
	case errors.Is(err, ascii.ErrNotText):
		return answer(550, "Not a text file, use TYPE I."), true
	case errors.Is(err, record.ErrBadMark), errors.Is(err, record.ErrLineFeed):
		return answer(550, "The data do not fit STRU R, use STRU F."), true
	case errors.Is(err, gateway.ErrBadOffset):
		return answer(554, "Restart position is behind the end of the file."), true
	case errors.As(err, &denied), errors.Is(err, fs.ErrPermission):
		return answer(550, "Permission denied."), true
	case errors.Is(err, fs.ErrNotExist):
		return answer(550, "No such file or directory."), true
	case errors.Is(err, syscall.ENOTEMPTY): // before ErrExist, which ENOTEMPTY also is
		return answer(550, "Directory is not empty."), true
	case errors.Is(err, fs.ErrExist):
		return answer(550, "Already exists."), true
	case errors.Is(err, syscall.ENOTDIR):
		return answer(550, "Not a directory."), true
	case errors.Is(err, syscall.EISDIR):
		return answer(550, "Not a plain file."), true
	}
	return reply{}, false
}
