// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/inspect"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// UploadRequest is what a device announces before it sends a file.
type UploadRequest struct {
	Op     policy.Operation // policy.Upload, or policy.Append to go on behind the end of what is there
	Path   string           // absolute, clean
	Offset int64            // of an Upload: keep that many bytes of what is there and go on behind them (RFC 3659, 5: REST)
	// Declared is the number of bytes that the device said it would send (ALLO), or policy.SizeUnknown.
	Declared  int64
	Type      string // the representation type that the device asked for, for the record
	Protected bool   // the data connection is to be under TLS, for the record
	// Marked says that the data carry their own end-of-file mark, without which the reader fails.
	Marked bool
	// Conversion is what is done to the bytes between the wire and the file, for the record; empty for nothing.
	Conversion string
}

// Incoming is one upload between the device's first byte and the reply. It is used by one goroutine at a time.
type Incoming struct {
	g        *Gateway
	policy   *policy.Policy // the one in force when the transfer began decides to its end
	session  Session
	request  UploadRequest
	question policy.Question
	decision policy.Decision
	remote   Remote
	id       string
	begun    time.Time
	base     *Base // of a continued file
	keep     int64 // bytes of base that are kept

	grant     *quota.Grant       // what it may move; nil where nothing is limited
	stream    *inspect.Stream    // nil where no rule looks into files
	expansion *inspect.Expansion // nil where no rule asks how far the file expands
	kind      string             // what is in the file, where a rule asks
	flaw      error              // why the file is not COMTRADE, which it is named like
	missing   bool               // it may be all the same

	recorded func() error // waits until its beginning is on record

	upload Upload // nil until the first byte or a clean end
	hash   *hashing
	size   int64 // bytes of the file to be published, those kept included
	ended  bool

	evidence []string // what speaks for a whole file, so far
	presence string   // what was found out about the device last
	proven   bool     // the evidence leaves no doubt

	committed bool     // the upload's own Commit has been tried
	kept      *Receipt // of what was moved aside
	keptAs    string   // where the device would find it
}

// Receive decides whether the upload may begin, and looks whether it has a chance. It touches nothing on the far side: that is
// opened with the first byte, so that a data connection which never comes leaves nothing behind. The Incoming it returns must be
// ended by Commit or Abort.
func (g *Gateway) Receive(ctx context.Context, s Session, req UploadRequest) (*Incoming, error) {
	in := &Incoming{g: g, policy: g.policy.Load(), session: s, request: req, id: newTransferID(), begun: time.Now(), hash: g.newHashing()}
	in.question = g.question(s, req.Op, req.Path, policy.SizeUnknown)
	in.question.Declared, in.question.ASCII = req.Declared, req.Type == "A"
	var err error
	if in.decision, err = g.decideQuestion(in.policy, s, in.question); err != nil {
		return nil, err
	}
	in.prepareLook()
	if err := in.checkName(); err != nil {
		return nil, err
	}
	if err := in.checkPlace(); err != nil {
		return nil, err
	}
	if in.remote, err = g.reach(s, req.Op, in.decision); err != nil {
		return nil, err
	}
	if err := in.remote.Available(ctx, in.requirements()); err != nil {
		return nil, err
	}
	if req.Op == policy.Append || req.Offset > 0 {
		if err := in.findBase(ctx); err != nil {
			return nil, err
		}
	}
	if max := in.decision.MaxSize; max > 0 && req.Declared != policy.SizeUnknown && in.keep+req.Declared > max {
		return nil, fmt.Errorf("%d bytes were announced, the limit is %d: %w", in.keep+req.Declared, max, in.tooLarge(in.keep+req.Declared))
	}
	if in.grant, err = g.claim(s, in.question, in.decision, in.keep, req.Declared); err != nil {
		return nil, err
	}
	if err := g.accepts(s); err != nil {
		in.grant.Close()
		return nil, err
	}
	in.recorded = g.recordBeside(ctx, in.recordOf(audit.TransferBegin, nil))
	return in, nil
}

// tooLarge puts on record that no rule allows a file of this size, or a larger one, and returns ErrTooLarge.
func (in *Incoming) tooLarge(size int64) error {
	q := in.question
	q.Size = size
	if _, err := in.g.decideQuestion(in.policy, in.session, q); err != nil && !errors.As(err, new(*DeniedError)) {
		return err
	}
	return ErrTooLarge
}

// findBase looks at the file that is to be continued.
func (in *Incoming) findBase(ctx context.Context) error {
	info, err := in.remote.Stat(ctx, in.location())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.base = &Base{}
	case err != nil:
		return err
	default:
		in.base = &Base{Exists: true, Size: info.Size(), ModTime: info.ModTime()}
	}
	in.keep = in.request.Offset
	if in.request.Op == policy.Append {
		in.keep = in.base.Size
	}
	if in.keep > in.base.Size {
		return fmt.Errorf("asked to go on at byte %d of %d: %w", in.keep, in.base.Size, ErrBadOffset)
	}
	return nil
}

// requirements is what the rule demands of the far side.
func (in *Incoming) requirements() Requirements {
	return Requirements{Fsync: in.decision.Deliver.RequireFsync, Atomic: in.decision.Deliver.RequireAtomic, Room: max(in.announced(), 0)}
}

// Take reads the file from the device until io.EOF and passes it on. It returns the number of bytes taken from src; an error of
// src is returned as it is.
func (in *Incoming) Take(ctx context.Context, src io.Reader) (int64, error) {
	counted := &meteredReader{ctx: ctx, src: src, in: in}
	defer context.AfterFunc(ctx, in.expansion.Stop)() // a slow decoder must not hold up the end
	first := make([]byte, 512)
	n, err := counted.Read(first)
	if err != nil && !errors.Is(err, io.EOF) {
		return counted.taken, err
	}
	if err := in.begin(ctx); err != nil {
		return counted.taken, err
	}
	// Only now do the first bytes count into the digest: those kept of the base stand before them.
	in.count(first[:n])
	if _, err := in.upload.Write(first[:n]); err != nil {
		return counted.taken, err
	}
	if err != nil {
		return counted.taken, nil // a clean end, already
	}
	counted.counting = true
	_, err = in.upload.ReadFrom(counted)
	return counted.taken, err
}

// begin opens the far side and carries over what is kept of the base.
func (in *Incoming) begin(ctx context.Context) error {
	// What is spooled gets its directories when it is delivered.
	if in.decision.Deliver.Path != "" && in.decision.Deliver.Acknowledge != policy.Spooled {
		// Their names can be the device's words.
		if err := makeParents(ctx, recordedFirst{in.remote, in.recorded}, in.location()); err != nil {
			return err
		}
	}
	up, err := in.remote.Begin(ctx, Target{
		Location: in.location(), Base: in.base,
		Verify: Verification(in.decision.Deliver.Verify), Require: in.requirements(), Digest: func() []byte { return in.hash.Sum() },
		Declared: in.announced(),
	})
	if err != nil {
		return err
	}
	in.upload = up
	// Before a byte is passed on: whatever happens to the log meanwhile, that the file was on its way is on record.
	if err := in.recorded(); err != nil {
		return err
	}
	if in.keep == 0 {
		return nil
	}
	old, err := in.remote.Open(ctx, in.location(), 0)
	if err != nil {
		return fmt.Errorf("open the file to be continued: %w", err)
	}
	defer old.Close()
	_, held := old.(*heldDownload)
	_, err = old.WriteTo(&keeper{in: in, left: in.keep, whole: held})
	if errors.Is(err, errKept) {
		err = nil
	}
	if err == nil && in.size != in.keep {
		err = fmt.Errorf("%d of %d bytes could be carried over: %w", in.size, in.keep, ErrChanged)
	}
	return err
}

func (in *Incoming) count(p []byte) {
	in.hash.Write(p)
	if in.stream != nil {
		_, _ = in.stream.Write(p) // never fails
	}
	_, _ = in.expansion.Write(p) // never fails
	in.size += int64(len(p))
}

// Commit publishes the file and returns nil when it is durable where the rule says it must be, and the record of it is durable,
// too. When it returns an error the transfer has been aborted, and is on record as such. ctx is checked, and whether the device is
// still there, for the last time just before the file appears under its name. It is to be called as soon as the data have ended.
func (in *Incoming) Commit(ctx context.Context, e Ending) error {
	receipt, err := in.publish(ctx, e)
	if err != nil {
		in.Abort(err)
		return err
	}
	in.ended = true
	in.grant.Close()
	in.expansion.Finish()
	r := in.recordOf(audit.TransferCommitted, nil)
	r.Receipt = receipt.forRecord()
	err = in.g.record(ctx, r)
	in.release()
	return err
}

// release lets a spooled file be delivered once what became of its upload is on record.
func (in *Incoming) release() {
	if held, ok := in.upload.(*heldUpload); ok {
		held.release()
	}
}

// announced is how large the file will be, as far as the device has said.
func (in *Incoming) announced() int64 {
	if in.request.Declared == policy.SizeUnknown {
		return policy.SizeUnknown
	}
	return in.keep + in.request.Declared
}

// origin is what a destination may keep of the upload as it was decided in the end.
func (in *Incoming) origin() Origin {
	o := in.session.origin(in.request.Op, in.decision)
	o.Transfer = in.id
	return o
}

func (in *Incoming) publish(ctx context.Context, e Ending) (Receipt, error) {
	if in.upload == nil || in.ended {
		return Receipt{}, errors.New("commit of a transfer that is not open")
	}
	ended := time.Now()
	if err := interrupted(ctx); err != nil {
		return Receipt{}, err
	}
	if err := in.weigh(e); err != nil {
		return Receipt{}, err
	}
	if err := in.decideContent(ctx); err != nil {
		return Receipt{}, err
	}
	if err := in.expect(ctx); err != nil {
		return Receipt{}, err
	}
	if err := in.inspectContent(ctx); err != nil {
		return Receipt{}, err
	}
	in.grant.Charge() // durable before the file appears: see vigil.last
	vigil, stop := in.keepVigil(ctx, e, ended)
	defer stop()
	terms, inner, paced := Terms{Last: vigil.last, Aside: in.aside(), Origin: in.origin()}, ctx, ctx
	if terms.Aside != "" {
		inner = context.WithoutCancel(ctx) // the last check looks at ctx; what is to be kept must get that far
		var end func()
		paced, end = outlive(ctx)
		defer end()
	}
	terms.Pace = in.paceBack(paced)
	in.committed = true
	receipt, err := in.upload.Commit(inner, terms)
	if receipt.Path != "" { // something was published, be it aside
		in.grant.Keep(in.size - in.keep)
	}
	if err != nil {
		if receipt.Path != "" {
			in.setAside(receipt, terms.Aside)
		}
		return Receipt{}, told(ctx, err)
	}
	if receipt.Bytes != in.size {
		// The destination compares too; that both agree is what the 226 rests on.
		return Receipt{}, fmt.Errorf("the destination published %d bytes, %d were received", receipt.Bytes, in.size)
	}
	return receipt, nil
}

// told puts the reason why ctx ended in the place of an error that only says that it did.
func told(ctx context.Context, err error) error {
	if cause := interrupted(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return err
}

// decideContent asks again, now that everything is known.
func (in *Incoming) decideContent(ctx context.Context) error {
	if err := in.g.windowOpen(in.policy, in.decision); err != nil {
		return err
	}
	in.question.Size = in.size
	d, err := in.g.decideQuestion(in.policy, in.session, in.question)
	if err == nil && d.Verdict == policy.Pending {
		d, err = in.decideType(ctx)
	}
	if err == nil {
		err = in.g.windowOpen(in.policy, d)
	}
	if err != nil {
		return err
	}
	if !sameWay(d.Deliver, in.decision.Deliver) {
		return in.g.deny(in.session, in.question, d.Rule, fmt.Sprintf(
			"it delivers in another way than rule %q, which was assumed until everything was known: a size or a type must not choose the delivery", in.decision.Rule))
	}
	in.decision = d
	return in.rebind()
}

// sameWay reports whether two deliveries lead to the same place in the same way. What they expect does not matter: it is compared
// at the end.
func sameWay(a, b policy.Delivery) bool {
	a.Expect, a.Incomplete, b.Expect, b.Incomplete = nil, "", nil, ""
	return a == b
}

// Abort ends the transfer without publishing anything. After Commit it does nothing.
func (in *Incoming) Abort(cause error) {
	if in.ended {
		return
	}
	in.ended = true
	defer in.grant.Close()
	if err := in.recorded(); err != nil { // the end of a transfer comes behind its beginning
		in.g.logger.Error("transfer is not on record", "transfer", in.id, "path", in.request.Path, "error", err)
	}
	in.hash.flush()
	in.expansion.Stop()
	in.expansion.Finish()
	if in.upload != nil && (in.committed || !in.keepAside(cause)) {
		in.upload.Abort(cause)
	}
	if err := in.g.note(in.recordOf(audit.TransferAborted, cause)); err != nil {
		in.g.logger.Error("aborted transfer is not on record", "transfer", in.id, "path", in.request.Path, "cause", cause, "error", err)
	}
	in.release() // what is kept of an incomplete file
}
