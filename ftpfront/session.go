// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// session is one control connection. All its state belongs to the goroutine of serve, except where said otherwise.
type session struct {
	front  *Front
	zone   *zone
	visit  *visit
	conn   net.Conn
	wire   *net.TCPConn // conn without what may be wrapped around it, to ask the kernel about
	log    *slog.Logger
	who    gateway.Session // Device and Home are empty until login
	begun  time.Time
	local  netip.Addr // our end of the control connection
	quirks Quirks     // the zone's until login, then the device's

	tls     *protection // nil while the control connection is in clear
	lines   *lineReader
	pending chan lineResult // a read that is under way in a goroutine of its own, or nil
	queue   []ahead         // lines that arrived during a transfer
	aborts  []*exchange     // ABORs that wait for the reply of the transfer they end

	loginBy  time.Time // when a session that nobody has logged in to ends
	user     string    // of the last USER
	failures int       // logins that failed in this session
	pace     pace
	doomed   error // ends the session behind the transfer that runs

	cwd        string
	ascii      bool
	records    bool  // STRU R
	restart    int64 // of REST
	allocated  int64 // of ALLO, or policy.SizeUnknown
	renameFrom string
	endpoint   endpoint // of the next transfer, or nil
	epsvOnly   bool     // EPSV ALL was sent
	facts      []string // of MLST and MLSD
	hash       string   // the algorithm of HASH

	writing sync.Mutex // held while a reply is written: the data transfer process announces the 150

	turn standing // between serve and those who end it
}

type lineResult struct {
	line credential.Secret
	err  error
}

// errHungUp ends a session after a reply that says so.
var errHungUp = errors.New("the reply closed the connection")

// writeTimeout is how long a device may take to accept a reply.
const writeTimeout = 30 * time.Second

// ahead is a line that arrived during a transfer, as often as it came in a row: devices send NOOPs for hours to keep a connection.
type ahead struct {
	line  credential.Secret
	times int
}

// maxQueue bounds the different commands that a device may send ahead during a transfer, and maxAhead all of them. The control
// connection is read on in any case: an ABOR must never wait behind them.
const (
	maxQueue = 16
	maxAhead = 8192 // one every few seconds for the longest transfer
)

// serve runs the session to its end and returns why it ended.
func (s *session) serve(ctx context.Context) (cause error) {
	defer func() {
		if p := recover(); p != nil {
			cause = fmt.Errorf("panic: %v", p)
			s.log.Error("session ended by a panic", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err := s.front.log.Note(s.record(audit.SessionOpen)); err != nil {
		return errors.Join(err, s.write(reply{code: 421, text: "Service not available."}))
	}
	if s.zone.TLS != nil && s.zone.TLS.Implicit {
		if err := s.protect(ctx, "implicit", true, 0); err != nil {
			return err
		}
	}
	if err := s.barred(); err != nil {
		return errors.Join(err, s.write(failure(beforeTransfer, err)))
	}
	if err := s.write(answer(220, s.zone.Greeting)); err != nil {
		return err
	}
	for {
		s.pause(ctx)
		line, err := s.next()
		if err == nil {
			err = s.execute(ctx, s.parse(line))
		} else {
			err = s.badLine(err)
		}
		if err != nil {
			return err
		}
	}
}

// badLine answers a line that is none. It returns the error where no further line can come.
func (s *session) badLine(err error) error {
	x := &exchange{session: s, begin: time.Now()}
	if errors.Is(err, errLineTooLong) || errors.Is(err, errControlCharacter) {
		if over := s.spend(false); over != nil {
			return x.finish(overflow(over))
		}
	}
	switch {
	case errors.Is(err, errLineTooLong):
		return x.finish(answer(500, "Command line too long.").because(err))
	case errors.Is(err, errControlCharacter):
		return x.finish(answer(501, "Invalid character in command.").because(err))
	case errors.Is(err, errIdle):
		r := answer(421, "Idle for too long, closing control connection.").because(err)
		r.swallow = s.who.Device == "" // a stranger has not been idle, perhaps, but made to wait
		return errors.Join(err, x.finish(r))
	case errors.Is(err, errShutdown), errors.Is(err, errRevoked), errors.Is(err, errIsland):
		return errors.Join(err, x.finish(failure(beforeTransfer, err)))
	}
	return err
}

// execute carries out one command and sends its final reply.
func (s *session) execute(ctx context.Context, x *exchange) error {
	cmd, known := s.front.commands[x.verb]
	if err := foreign(x); err != nil {
		return x.finish(reply{code: 421, text: "This is FTP, closing control connection.", cause: err, hangup: true, swallow: true})
	}
	if err := s.spend(known); err != nil {
		return x.finish(overflow(err))
	}
	from := s.renameFrom
	s.renameFrom = "" // RNTO must follow its RNFR at once (RFC 959, 4.1.3)
	switch {
	case !known:
		return x.finish(answer(500, "Unknown command."))
	case !cmd.clear && s.mustProtect():
		return x.finish(answer(530, "Please begin TLS with AUTH first.").because(errClear))
	case !cmd.open && s.who.Device == "":
		return x.finish(answer(530, "Please log in with USER and PASS."))
	case cmd.arg == required && x.args == "" && x.secret.Len() == 0:
		return x.finish(answer(501, "Argument missing."))
	case cmd.data && s.mustProtectData():
		s.closeEndpoint()
		return x.finish(answer(521, "Data connections must be protected, use PROT P."))
	case cmd.data && s.endpoint == nil: // there is no default data port: nobody uses it, and it would be one to attack
		return x.finish(answer(425, "Use PASV or PORT first."))
	}
	if x.verb == "RNTO" {
		s.renameFrom = from
	}
	r := s.carryOut(ctx, cmd, x)
	if cmd.data {
		// A connection that the device has made for a transfer that was refused must not be taken for that of the next.
		s.closeEndpoint()
	}
	if err := x.finish(r); err != nil {
		return err
	}
	if s.doomed != nil {
		return s.doomed
	}
	return s.finishAborts()
}

// carryOut runs a command, and sees to it that no directory is taken for an empty one: where a listing can be had later the reply is
// 451, since 450 means to clients that there is nothing to list (curl and what is built on libcurl end with success then).
func (s *session) carryOut(ctx context.Context, cmd command, x *exchange) reply {
	if !cmd.data {
		return cmd.run(s, ctx, x)
	}
	r := s.moveData(ctx, cmd, x)
	if cmd.lists && r.code == 450 {
		r.code = 451
	}
	return r
}

// moveData runs a command that moves data, while there is a place for it.
func (s *session) moveData(ctx context.Context, cmd command, x *exchange) reply {
	if !s.front.transfers.take() {
		return answer(450, "Too many transfers, try again later.").because(&limitError{"transfers", s.front.transfers.most})
	}
	defer s.front.transfers.give()
	r := cmd.run(s, ctx, x)
	if r.code == 226 {
		s.pace.commands.refund(transferRefund)
	}
	return r
}

// finishAborts answers the ABORs that came during the transfer whose reply has just been sent (RFC 959, 4.1.3: 426, then 226).
func (s *session) finishAborts() error {
	aborts := s.aborts
	s.aborts = nil
	for _, x := range aborts {
		if err := x.finish(answer(226, "Abort successful.")); err != nil {
			return err
		}
	}
	return nil
}

// next returns the next command line, waiting for it no longer than the zone allows.
func (s *session) next() (credential.Secret, error) {
	if len(s.queue) > 0 {
		next := &s.queue[0]
		if next.times--; next.times == 0 {
			s.queue = s.queue[1:]
		}
		return next.line, nil
	}
	if err := s.beginIdle(); err != nil {
		return credential.Secret{}, err
	}
	var res lineResult
	if s.pending != nil {
		res = <-s.pending
		s.pending = nil
	} else {
		res.line, res.err = s.lines.read()
	}
	return res.line, s.endIdle(res.err)
}

// beginIdle sets the idle deadline, or reports that the gateway drains.
func (s *session) beginIdle() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.turn.ended != nil {
		return s.turn.ended
	}
	until := time.Now().Add(s.zone.IdleTimeout)
	if s.who.Device == "" && s.loginBy.Before(until) {
		until = s.loginBy
	}
	if !time.Now().Before(until) { // a deadline says nothing about lines that have been read already
		return errIdle
	}
	s.turn.idle = true
	return s.conn.SetReadDeadline(until)
}

// endIdle lifts the deadline and says why a read ended.
func (s *session) endIdle(err error) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.turn.idle = false
	if err == nil {
		return s.conn.SetReadDeadline(time.Time{})
	}
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		return err
	}
	if s.turn.ended != nil {
		return s.turn.ended
	}
	return errIdle
}

// watch has the next line read while a transfer runs.
func (s *session) watch() <-chan lineResult {
	if s.pending == nil {
		pending := make(chan lineResult, 1)
		s.pending = pending
		go func() { // ends with the line, or when the connection is closed; end waits for it
			line, err := s.lines.read()
			pending <- lineResult{line, err}
		}()
	}
	return s.pending
}

// recordUnanswered puts on record what the device sent and got no answer to.
func (s *session) recordUnanswered() {
	left := s.aborts
	for _, a := range s.queue {
		for range a.times {
			left = append(left, s.parse(a.line))
		}
	}
	for _, x := range left {
		if err := x.note(reply{text: "not answered"}); err != nil {
			s.front.repeats.report("a command without an answer is not on record", err, "session", s.who.ID, "zone", s.zone.Name, "verb", x.recordableVerb())
			return
		}
	}
}

// end releases what the session holds and puts its end on record.
func (s *session) end(cause error) {
	s.closeEndpoint()
	_ = s.enter(nil) // nobody can be revoked
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("close of the control connection", "error", err)
	}
	if s.pending != nil {
		<-s.pending
	}
	s.recordUnanswered()
	r := s.record(audit.SessionClose)
	if cause != nil && !errors.Is(cause, errHungUp) && !errors.Is(cause, io.EOF) {
		r.Cause = cause.Error()
	}
	if err := s.front.log.Note(r); err != nil {
		s.front.repeats.report("a session was refused, or its end is not on record", err, "session", s.who.ID, "zone", s.zone.Name, "peer", s.who.Peer)
	}
	s.log.Debug("session ended", "cause", cause)
}

// write sends a reply. It may be called by the data transfer process while serve waits for it.
func (s *session) write(r reply) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("send a reply: %w", err)
	}
	if _, err := io.WriteString(s.conn, r.String()); err != nil {
		return fmt.Errorf("send a reply: %w", err)
	}
	return nil
}

// record is the beginning of every record about this session.
func (s *session) record(e audit.Event) audit.Record {
	return audit.Record{Event: e, Zone: s.who.Zone, Session: s.who.ID, Device: s.who.Device, Peer: s.who.Peer.String()}
}
