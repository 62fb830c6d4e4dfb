// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// Evidence is something that speaks for a whole upload when it is there, and against it when it is missing. FTP tells neither a
// length nor a checksum (RFC 959, 3.4.1: in stream mode the end of the connection is the end of the file), so that a file which
// broke off can look like a whole one; what can be known besides is gathered here. The names are a contract with whoever reads the
// audit log.
type Evidence string

// What an upload is judged by.
const (
	// Fin: the data connection ended in order, not by a reset, a timeout or an error.
	Fin Evidence = "fin"
	// ControlAlive: the control connection still stood when the settle time had passed after the end of the data. The kernel of a
	// process that dies closes both.
	ControlAlive Evidence = "control-alive"
	// CloseNotify: TLS on the data connection was ended by the device's close_notify, which nobody on the way can forge and no kernel
	// sends for a process that died.
	CloseNotify Evidence = "close-notify"
	// Quit: the device took its leave before, so that the end of the control connection says nothing.
	Quit Evidence = "quit"
	// NoAbort: the device did not send ABOR.
	NoAbort Evidence = "no-abort"
	// Announced: the bytes are as many as the device said in ALLO.
	Announced Evidence = "allo-equal"
	// EndMark: the data ended with their own end-of-file mark (RFC 959, 3.4.1: record structure), which is there only when the
	// device has sent all of it. It stands in the place of Fin: what follows the mark is not looked at.
	EndMark Evidence = "eof-mark"
)

// EvidenceError says what speaks against an upload being whole.
type EvidenceError struct {
	Failed Evidence
	Reason string // for operators
}

func (e *EvidenceError) Error() string { return e.Reason }

// Evidence names what failed.
func (e *EvidenceError) Evidence() Evidence { return e.Failed }

// Temporary is true: the device still has the file, or will have it again.
func (e *EvidenceError) Temporary() bool { return true }

// failedEvidence is the evidence that err says to be missing, or "". Errors tell it with a method Evidence.
func failedEvidence(err error) Evidence {
	var e interface{ Evidence() Evidence }
	if errors.As(err, &e) {
		return e.Evidence()
	}
	return ""
}

// Ending is what the near side knows of how an upload ended.
type Ending struct {
	// Notified says that the data ended with the close_notify of TLS.
	Notified bool
	// Settle is how long after the end of the data the device must still be there. It is not waited for where other evidence
	// proves the file whole.
	Settle time.Duration
	// Left is closed when the device takes its leave in order: then nothing is waited for, and it need not be there any more.
	Left <-chan struct{}
	// Present, where not nil, is asked last, when the time has passed and the file is about to appear: nil while the device is
	// there.
	Present func() error
}

// left reports whether the device has taken its leave.
func (e Ending) left() bool {
	select {
	case <-e.Left:
		return true
	default:
		return false
	}
}

// vigil waits for the end of the settle time and then asks whether the device is still there.
type vigil struct {
	in     *Incoming
	ctx    context.Context
	ending Ending
	began  time.Time
	settle <-chan time.Time // nil where nothing is waited for
}

// keepVigil waits from when the data ended. stop frees its timer.
func (in *Incoming) keepVigil(ctx context.Context, e Ending, ended time.Time) (v *vigil, stop func() bool) {
	v = &vigil{in: in, ctx: ctx, ending: e, began: ended}
	if in.proven || e.Settle <= 0 {
		return v, func() bool { return true }
	}
	timer := time.NewTimer(e.Settle - time.Since(ended))
	v.settle = timer.C
	return v, timer.Stop
}

// last is asked just before the file appears. A second time it waits no more, but looks again.
func (v *vigil) last() error {
	if v.settle != nil {
		select {
		case <-v.settle:
		case <-v.ending.Left:
		case <-v.ctx.Done():
		}
		v.settle = nil
	}
	if err := v.in.g.log.Accepts(v.in.session.Zone); err != nil { // nothing is published that cannot be put on record
		return &logFailure{err}
	}
	if err := v.in.counted(); err != nil {
		return err
	}
	if err := v.in.g.windowOpen(v.in.policy, v.in.decision); err != nil {
		return err
	}
	if err := interrupted(v.ctx); err != nil {
		return err
	}
	switch {
	case v.ending.left():
		v.in.presence = string(Quit)
	case v.ending.Present != nil:
		if err := v.ending.Present(); err != nil && !v.ending.left() { // QUIT and the end may come in one packet
			return err
		}
		v.in.presence = fmt.Sprintf("%s %dms", ControlAlive, time.Since(v.began).Milliseconds())
	}
	return nil
}

// weigh looks at what can be known from the bytes alone.
func (in *Incoming) weigh(e Ending) error {
	end := Fin
	if in.request.Marked {
		end, in.proven = EndMark, true
	}
	in.evidence = append(in.evidence, string(end))
	if e.Notified {
		in.evidence = append(in.evidence, string(CloseNotify))
	}
	if d := in.request.Declared; d != policy.SizeUnknown {
		if in.size-in.keep != d {
			return &IncompleteError{Got: in.size - in.keep, Want: d}
		}
		in.evidence = append(in.evidence, fmt.Sprintf("%s %d", Announced, d))
		in.proven = true
	}
	return nil
}

// argued is the evidence for a whole file, for the record.
func (in *Incoming) argued() []string {
	if in.presence == "" {
		return in.evidence
	}
	return append(in.evidence[:len(in.evidence):len(in.evidence)], in.presence)
}

// IncompleteError says that a device sent another number of bytes than it had announced.
type IncompleteError struct{ Got, Want int64 }

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%d bytes arrived, %d were announced", e.Got, e.Want)
}

// Evidence is Announced.
func (e *IncompleteError) Evidence() Evidence { return Announced }

// Temporary is true: the device still has the file.
func (e *IncompleteError) Temporary() bool { return true }
