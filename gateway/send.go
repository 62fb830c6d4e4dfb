// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// DownloadRequest is what a device asks for.
type DownloadRequest struct {
	Path      string // absolute, clean
	Offset    int64  // the first byte wanted (REST)
	Type      string // the representation type that the device asked for, for the record
	Protected bool   // the data connection is to be under TLS, for the record
	// Conversion is what is done to the bytes between the file and the wire, for the record; empty for nothing.
	Conversion string
}

// Outgoing is one download. It is used by one goroutine at a time, and must be ended by Finish or Abort.
type Outgoing struct {
	g        *Gateway
	policy   *policy.Policy // the one in force when the transfer began decides to its end
	session  Session
	request  DownloadRequest
	question policy.Question
	decision policy.Decision
	remote   Remote
	id       string
	begun    time.Time
	download Download
	grant    *quota.Grant // what it may move; nil where nothing is limited
	hash     *hashing
	sent     int64
	ended    bool
}

// Send decides whether the file may go to the device, and opens it: what cannot be read is said before a data connection is made.
func (g *Gateway) Send(ctx context.Context, s Session, req DownloadRequest) (*Outgoing, error) {
	p := g.policy.Load()
	q := g.question(s, policy.Download, req.Path, policy.SizeUnknown)
	q.ASCII = req.Type == "A"
	d, err := g.decideQuestion(p, s, q)
	if err != nil {
		return nil, err
	}
	remote, err := g.reach(s, policy.Download, d)
	if err != nil {
		return nil, err
	}
	dl, err := remote.Open(ctx, s.locate(req.Path), req.Offset)
	if err != nil {
		return nil, err
	}
	out := &Outgoing{g: g, policy: p, session: s, request: req, question: q, decision: d, remote: remote, id: newTransferID(), begun: time.Now(), download: dl, hash: g.newHashing()}
	if err := out.decideContent(dl.Info().Size()); err != nil {
		return nil, out.closeWith(err)
	}
	if err := out.charge(); err != nil {
		return nil, out.closeWith(err)
	}
	err = g.record(ctx, out.recordOf(audit.TransferBegin, nil)) // durable before a byte leaves
	if err == nil {
		err = counted(out.grant)
	}
	if err != nil {
		return nil, out.closeWith(err)
	}
	return out, nil
}

// decideContent asks again where the first answer depended on the size.
func (out *Outgoing) decideContent(size int64) error {
	if out.decision.Verdict != policy.Pending {
		return nil
	}
	out.question.Size = size
	d, err := out.g.decideQuestion(out.policy, out.session, out.question)
	if err != nil {
		return err
	}
	if d.Deliver.Conduit != out.decision.Deliver.Conduit {
		return out.g.deny(out.session, out.question, d.Rule, fmt.Sprintf(
			"it fetches from another place than rule %q, which was assumed until the size was known: a size must not choose the conduit", out.decision.Rule))
	}
	out.decision = d
	return nil
}

func (out *Outgoing) closeWith(err error) error {
	if out.sent > 0 {
		out.grant.Keep(out.sent)
	}
	out.grant.Close()
	if cerr := out.download.Close(); cerr != nil {
		out.g.logger.Warn("close of a refused download", "path", out.request.Path, "error", cerr)
	}
	return err
}

// Size is the number of bytes that WriteTo will bring.
func (out *Outgoing) Size() int64 { return out.download.Info().Size() - out.request.Offset }

// Peek returns up to n bytes from where the download begins. It reads them on their own: nothing is sent.
func (out *Outgoing) Peek(ctx context.Context, n int) ([]byte, error) {
	dl, err := out.remote.Open(ctx, out.session.locate(out.request.Path), out.request.Offset)
	if err != nil {
		return nil, err
	}
	head := &headWriter{left: n}
	if err = reach(ctx, dl); err == nil {
		_, err = dl.WriteTo(head)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return head.bytes, errors.Join(err, dl.Close())
}

// errEnough ends the reading of a file of which no more is wanted.
var errEnough = errors.New("no more bytes are wanted")

// headWriter keeps the first bytes.
type headWriter struct {
	bytes []byte
	left  int
}

func (h *headWriter) Write(p []byte) (int, error) {
	p = p[:min(len(p), h.left)]
	h.bytes = append(h.bytes, p...)
	if h.left -= len(p); h.left == 0 {
		return len(p), errEnough
	}
	return len(p), nil
}

// Bring writes the file to the device. An error of w is returned as it is.
func (out *Outgoing) Bring(ctx context.Context, w io.Writer) (int64, error) {
	if err := reach(ctx, out.download); err != nil {
		return 0, err
	}
	n, err := out.download.WriteTo(&meteredWriter{ctx: ctx, dst: w, out: out})
	if err == nil && n != out.Size() {
		err = fmt.Errorf("%d of %d bytes could be read", n, out.Size())
	}
	return n, err
}

// reach comes to the first byte that is wanted, where that takes time: ctx ends it.
func reach(ctx context.Context, dl Download) error {
	if held, ok := dl.(*heldDownload); ok {
		return held.reach(ctx)
	}
	return nil
}

// Finish ends a download all of whose bytes the device's connection has taken. It returns nil when the record of it is durable.
func (out *Outgoing) Finish(ctx context.Context) error {
	if out.sent != out.Size() {
		err := fmt.Errorf("%d of %d bytes were sent", out.sent, out.Size())
		out.Abort(err)
		return err
	}
	if err := interrupted(ctx); err != nil {
		out.Abort(err)
		return err
	}
	out.ended = true
	out.grant.Keep(out.sent)
	out.grant.Close()
	if err := out.download.Close(); err != nil {
		out.g.logger.Warn("close of a finished download", "path", out.request.Path, "error", err)
	}
	return out.g.record(ctx, out.recordOf(audit.TransferCommitted, nil))
}

// Abort ends a download that the device did not get whole. After Finish it does nothing.
func (out *Outgoing) Abort(cause error) {
	if out.ended {
		return
	}
	out.ended = true
	_ = out.closeWith(cause)
	if err := out.g.note(out.recordOf(audit.TransferAborted, cause)); err != nil {
		out.g.logger.Error("aborted transfer is not on record", "transfer", out.id, "path", out.request.Path, "cause", cause, "error", err)
	}
}

// recordOf is the record of an event of this transfer. The digest is that of the bytes sent, from the offset on.
func (out *Outgoing) recordOf(e audit.Event, cause error) audit.Record {
	r := out.session.record(e)
	r.TransferFields = decisionFields(policy.Download, out.request.Path, out.decision)
	r.Transfer, r.Offset, r.Type, r.Protected, r.Conversion = out.id, out.request.Offset, out.request.Type, out.request.Protected, out.request.Conversion
	if e != audit.TransferBegin {
		sent := out.sent
		r.Bytes, r.Elapsed = &sent, time.Since(out.begun).Microseconds()
	}
	if e == audit.TransferCommitted {
		r.SHA256 = hex.EncodeToString(out.hash.Sum())
	}
	if cause != nil {
		r.Cause = cause.Error()
	}
	return r
}

// meteredWriter is the device's end of a download.
type meteredWriter struct {
	ctx context.Context
	dst io.Writer
	out *Outgoing
}

func (m *meteredWriter) Write(p []byte) (written int, err error) {
	pace := m.out.grant.Pace()
	for {
		piece := p[written:min(len(p), written+min(len(p), pace.Piece()))]
		if err := pace.Wait(m.ctx, len(piece)); err != nil {
			return written, told(m.ctx, fmt.Errorf("wait for the bandwidth: %w", err))
		}
		n, err := m.write(piece)
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

func (m *meteredWriter) write(p []byte) (int, error) {
	if err := interrupted(m.ctx); err != nil {
		return 0, err
	}
	if err := m.out.g.windowOpen(m.out.policy, m.out.decision); err != nil {
		return 0, err
	}
	var n int
	var err error
	m.out.hash.Beside(p, func() { n, err = m.dst.Write(p) }) // all of p: a digest counts only where all was sent
	m.out.sent += int64(n)
	if err != nil {
		if cause := interrupted(m.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}
