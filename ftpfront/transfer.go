// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync/atomic"

	ftpserver "github.com/fclairamb/ftpserverlib"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/policy"
)

func (s *session) stor(ctx context.Context, x *exchange) reply {
	return s.receive(ctx, x, policy.Upload, s.abs(x.args), "Ready to receive.")
}

func (s *session) appe(ctx context.Context, x *exchange) reply {
	s.restart = 0 // APPE goes on behind the end, wherever that is
	return s.receive(ctx, x, policy.Append, s.abs(x.args), "Ready to receive.")
}

// stou stores under a name of our choice, which the 150 tells in the form of RFC 1123, 4.1.2.9.
func (s *session) stou(ctx context.Context, x *exchange) reply {
	stem := "file"
	if x.args != "" {
		stem = x.args
	}
	name := s.abs(stem + "." + newID())
	return s.receive(ctx, x, policy.Upload, name, "FILE: "+name)
}

// receive brings one file from the device to where the policy says.
func (s *session) receive(ctx context.Context, x *exchange, op policy.Operation, name, announcement string) reply {
	restart, allocated := s.takeParameters()
	f := s.form()
	if !f.verbatim() {
		if restart > 0 {
			return noRestart()
		}
		allocated = policy.SizeUnknown // it counts the bytes of a file as the device stores it
	}
	in, err := s.front.gateway.Receive(ctx, s.who, gateway.UploadRequest{
		Op: op, Path: name, Offset: restart, Declared: allocated, Type: s.typeName(), Protected: s.private(), Conversion: f.String(), Marked: f.records,
	})
	if err != nil {
		return failure(beforeTransfer, err)
	}
	if !in.Redirected() {
		if err := s.makeParents(ctx, path.Dir(name)); err != nil {
			in.Abort(err)
			return failure(beforeTransfer, err)
		}
	}
	return s.transfer(ctx, x, fromDevice, &uploadFile{form: f, in: in, ending: s.ending}, announcement)
}

// noRestart refuses REST where a position on the wire is none in the file (RFC 3659, 5; RFC 1123, 4.1.3.4 has the code).
func noRestart() reply { return answer(554, "Restart needs TYPE I and STRU F.") }

// retr brings one file to the device.
func (s *session) retr(ctx context.Context, x *exchange) reply {
	restart, _ := s.takeParameters()
	f := s.form()
	if restart > 0 && !f.verbatim() {
		return noRestart()
	}
	out, err := s.front.gateway.Send(ctx, s.who, gateway.DownloadRequest{
		Path: s.abs(x.args), Offset: restart, Type: s.typeName(), Protected: s.private(), Conversion: f.String(),
	})
	if err != nil {
		return failure(beforeTransfer, err)
	}
	if err := f.checkText(ctx, out); err != nil {
		out.Abort(err)
		return failure(beforeTransfer, err)
	}
	announcement := "Sending the file."
	if f.verbatim() {
		announcement = fmt.Sprintf("Sending %d bytes.", out.Size())
	}
	return s.transfer(ctx, x, toDevice, &downloadFile{form: f, out: out}, announcement)
}

// file is the near end of a transfer as the data transfer process sees it, and what this package asks of it besides.
type file interface {
	ftpserver.FileTransfer
	ftpserver.FileTransferError
	// bind ties the file to its transfer, before the transfer begins.
	bind(t *running)
	// crosses reports whether the bytes go across a conduit while the transfer runs.
	crosses() bool
	// settle ends the file if nothing else has, and returns how the transfer went: nil is success.
	settle(dialogue error) error
}

// transfer runs one transfer to its end while it goes on listening to the control connection.
func (s *session) transfer(ctx context.Context, x *exchange, way direction, f file, announcement string) reply {
	t := &running{session: s, left: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	defer t.cancel(nil)
	s.busy(&task{x, t, f.crosses()})
	defer s.busy(nil)
	f.bind(t)
	d := &dtp{control: s.conn, endp: s.endpoint, file: f, logger: s.log, protect: s.protectData(), begun: func(conn *dataConn) error {
		t.data.Store(conn)
		return x.announce(answer(150, announcement))
	}}
	s.endpoint = nil // it serves this one transfer, whatever comes of it
	talk, err := d.begin(t.ctx, way)
	if err == nil {
		t.wait(talk.over)
		err = talk.outcome()
	}
	err = f.settle(err)
	if cerr := d.endp.Close(); cerr != nil {
		s.log.Debug("close of a data endpoint", "error", cerr)
	}
	return t.conclude(err)
}

// running is a transfer and the commands that arrive while it runs.
type running struct {
	session *session
	ctx     context.Context
	cancel  context.CancelCauseFunc
	moved   atomic.Int64             // bytes, for STAT
	data    atomic.Pointer[dataConn] // nil until the data connection is open
	ended   atomic.Bool              // the device's data have ended
	left    chan struct{}            // closed when QUIT comes behind the data
	deaf    bool                     // nothing more can come, or what comes is no surprise any more
}

// wait returns when done is closed. Meanwhile ABOR and STAT are acted upon, and the loss of the control connection ends the transfer;
// all other commands wait.
func (t *running) wait(done <-chan struct{}) {
	for {
		var lines <-chan lineResult
		if !t.deaf {
			lines = t.session.watch()
		}
		select {
		case <-done:
			return
		case res := <-lines:
			t.session.pending = nil
			t.hear(res)
		}
	}
}

// hear deals with one line during the transfer.
func (t *running) hear(res lineResult) {
	s := t.session
	switch {
	case errors.Is(res.err, errLineTooLong), errors.Is(res.err, errControlCharacter):
		if err := s.badLine(res.err); err != nil {
			t.deaf, s.doomed = true, err
			t.cancel(errControlLost)
		}
		return
	case res.err != nil:
		s.log.Debug("control connection lost during a transfer", "error", res.err)
		t.deaf = true // nothing more can come
		t.cancel(errControlLost)
		return
	}
	x := s.parse(res.line)
	switch {
	case x.verb == "ABOR" && len(s.aborts) < maxQueue:
		s.aborts = append(s.aborts, x)
		t.cancel(errAborted)
	case x.verb == "STAT" && x.args == "" && s.mayAsk():
		if err := x.finish(s.status(fmt.Sprintf("Transfer is running, %d bytes so far.", t.moved.Load()))); err != nil {
			t.cancel(errControlLost)
		}
	default:
		t.putAside(x.verb, res.line)
	}
}

// mayAsk counts a STAT that is answered during the transfer. One that comes too fast waits like all other commands.
func (s *session) mayAsk() bool { return s.spend(true) == nil && s.pace.owed == 0 }

// putAside keeps a command for later. QUIT behind the end of the data says that what follows on the control connection is meant; one
// that was sent ahead says nothing about what has yet to come.
func (t *running) putAside(verb string, line credential.Secret) {
	s := t.session
	if verb == "QUIT" && t.dataEnded() {
		t.deaf = true
		close(t.left)
	}
	n, total := len(s.queue), 0
	for _, a := range s.queue {
		total += a.times
	}
	if n > 0 && s.queue[n-1].line.Equal(line) && total < maxAhead {
		s.queue[n-1].times++
		return
	}
	if n == maxQueue || total >= maxAhead {
		t.cancel(errTooMuchAhead)
		return
	}
	s.queue = append(s.queue, ahead{line, 1})
}

// dataEnded reports whether the device has ended its data, be it that they are not all taken yet.
func (t *running) dataEnded() bool {
	conn := t.data.Load()
	if t.ended.Load() || conn == nil {
		return t.ended.Load()
	}
	state, err := stateOf(conn.conn)
	return err == nil && !state.established
}

// conclude is the transfer's final reply.
func (t *running) conclude(err error) reply {
	r := answer(226, "Transfer complete.")
	if err != nil {
		st := beforeTransfer
		if t.data.Load() != nil {
			st = duringTransfer
		}
		r = failure(st, err)
	}
	return r
}

// abor outside a transfer has nothing to do (RFC 959, 4.1.3).
func (s *session) abor(context.Context, *exchange) reply {
	return answer(226, "No transfer is running.")
}
