// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// The steps of a delivery, and what a stop behind each leaves:
//
//	write under a hidden name, fsync, verify     the entry waits; the conduit sweeps the hidden file; it is delivered again
//	mark the entry as being published            as before, and the next run looks first whether the file is there
//	rename across the conduit                    the entry waits and is marked: the next run finds the file, compares it byte for byte,
//	                                             and does not deliver it again
//	record the delivery durably                  as before; it is recorded once more
//	remove the entry, or keep it as evidence     done

// deliver takes one entry across. Nothing is told to anybody: what comes of it is for conclude.
func (f *Forwarder) deliver(ctx context.Context, t *turn, e spool.Entry) error {
	ctx, unlock, err := f.held.lockToDeliver(ctx, e)
	if err != nil {
		return err
	}
	defer unlock()
	now, ok := f.held.store.Get(e.ID)
	if !ok || now.Version != e.Version {
		return errPreempted // changed before the lock was had
	}
	t.busy.Add(1)
	defer t.busy.Add(-1)
	receipt, err := f.carry(ctx, t, e)
	if err != nil {
		return told(ctx, err)
	}
	return f.delivered(e, receipt)
}

// carry makes sure that the file stands across the conduit.
func (f *Forwarder) carry(ctx context.Context, t *turn, e spool.Entry) (Receipt, error) {
	if isHeldDir(e) {
		return f.carryDir(ctx, t.route, e)
	}
	if e.Publishing {
		switch receipt, ok, err := f.find(ctx, t, e); {
		case err != nil:
			return receipt, err
		case ok:
			return receipt, f.dress(ctx, t.route, e)
		}
	}
	if err := makeParents(ctx, t.remote, entryLocation(e)); err != nil {
		return Receipt{}, err
	}
	receipt, err := f.send(ctx, t, e)
	if err != nil {
		return receipt, err
	}
	return receipt, f.dress(ctx, t.route, e)
}

func (f *Forwarder) carryDir(ctx context.Context, r *route, e spool.Entry) (Receipt, error) {
	l := entryLocation(e)
	if err := makeParents(ctx, r.remote, l); err != nil {
		return Receipt{}, err
	}
	if err := r.remote.Mkdir(ctx, l); err != nil && !errors.Is(err, fs.ErrExist) {
		return Receipt{}, err
	}
	return Receipt{Path: l.String()}, f.dress(ctx, r, e)
}

// send is the same way across as that of a file which is acknowledged when it is delivered.
func (f *Forwarder) send(ctx context.Context, t *turn, e spool.Entry) (Receipt, error) {
	data, err := f.held.store.OpenData(e.ID)
	if err != nil {
		return Receipt{}, ofStore(err)
	}
	defer data.Close()
	src := &countedReader{ctx: ctx, src: data, hash: sha256.New(), turn: t}
	target := Target{
		Location: entryLocation(e), Verify: Verification(e.Verify), Require: Requirements{Fsync: e.RequireFsync, Atomic: e.RequireAtomic},
		Digest: func() []byte { return src.hash.Sum(nil) }, Declared: e.Size,
	}
	if t.probe != 0 {
		target.Accepted = func() { f.accepted(t) }
	}
	up, err := t.remote.Begin(ctx, target)
	if err != nil {
		return Receipt{}, err
	}
	_, err = up.ReadFrom(src)
	if err == nil && (src.size != e.Size || hex.EncodeToString(src.hash.Sum(nil)) != e.SHA256) {
		err = fmt.Errorf("entry %s: %w", e.ID, spool.ErrDamaged)
	}
	if err != nil {
		up.Abort(err)
		return Receipt{}, err
	}
	last := &lastQuestion{f: f, ctx: ctx, entry: e}
	receipt, err := up.Commit(ctx, Terms{Last: last.ask, Pace: func(n int) error { return t.wait(ctx, n) }})
	if err == nil && receipt.Bytes != e.Size {
		err = fmt.Errorf("the destination published %d bytes, %d were accepted: %w", receipt.Bytes, e.Size, ErrCorrupted)
	}
	return receipt, err
}

// lastQuestion is asked when the file is durable across the conduit, and again just before it is published.
type lastQuestion struct {
	f      *Forwarder
	ctx    context.Context
	entry  spool.Entry
	marked bool
}

func (q *lastQuestion) ask() error {
	if err := interrupted(q.ctx); err != nil {
		return err
	}
	if err := q.f.log.Accepts(q.entry.Zone); err != nil { // nothing is published that cannot be put on record
		return &logFailure{err}
	}
	if err := q.f.mayCross(q.entry); err != nil {
		return err
	}
	if q.marked {
		now, ok := q.f.held.store.Get(q.entry.ID)
		return q.stillWanted(now, ok)
	}
	q.marked = true
	_, err := q.f.held.store.Update(q.entry.ID, func(e *spool.Entry) error {
		e.Publishing = true
		return q.stillWanted(*e, true)
	})
	return ofStore(err)
}

// stillWanted is against what somebody holds now, or has renamed: whoever was told so relies on it.
func (q *lastQuestion) stillWanted(now spool.Entry, there bool) error {
	if !there || now.State != spool.Waiting || entryPath(now) != entryPath(q.entry) {
		return errPreempted
	}
	return nil
}

// storeError is the spool's failure rather than the file's: its disk is full, or there are no descriptors left. It passes, or the next
// start is needed; the file is whole in either case.
type storeError struct{ cause error }

func (e *storeError) Error() string   { return "spool: " + e.cause.Error() }
func (e *storeError) Unwrap() error   { return e.cause }
func (e *storeError) Temporary() bool { return true }

// ofStore makes an error of the spool a storeError, unless it says that the file is not what it was.
func ofStore(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errPreempted), errors.Is(err, spool.ErrDamaged), errors.Is(err, syscall.EIO), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("spool: %w", err)
	}
	return &storeError{err}
}

// closedError says that a rule's window has closed.
type closedError struct{ rule string }

func (e *closedError) Error() string { return fmt.Sprintf("the window of rule %q has closed", e.rule) }

// Temporary is true: it will open again.
func (e *closedError) Temporary() bool { return true }

// mayCross asks whether the file may be published in this moment.
func (f *Forwarder) mayCross(e spool.Entry) error {
	if f.g.policy.Load().CutOff(e.Rule, f.g.now()) {
		return &closedError{e.Rule}
	}
	return nil
}

// find looks whether an earlier attempt, of which nobody knows the end, has published the file. What is read for that crosses as what is
// sent does.
func (f *Forwarder) find(ctx context.Context, t *turn, e spool.Entry) (Receipt, bool, error) {
	d, err := t.remote.Open(ctx, entryLocation(e), 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Receipt{}, false, nil
	case err != nil:
		return Receipt{}, false, err
	}
	defer d.Close()
	if d.Info().Size() != e.Size {
		return Receipt{}, false, nil
	}
	h := sha256.New()
	if _, err := d.WriteTo(&pacedWriter{ctx: ctx, dst: h, turn: t}); err != nil {
		return Receipt{}, false, fmt.Errorf("read what may have been published: %w", err)
	}
	if hex.EncodeToString(h.Sum(nil)) != e.SHA256 {
		return Receipt{}, false, nil // what stood there before
	}
	f.logger.Info("an earlier run has delivered the file", "entry", e.ID, "path", entryPath(e))
	return Receipt{Bytes: e.Size, Verified: VerifyReadback, Path: entryPath(e)}, true, nil
}

// dress sets the time of modification and the mode that the device has asked for. A server that refuses them does so for good, and the
// file is as whole; after a failure that can pass the next attempt finds the file across.
func (f *Forwarder) dress(ctx context.Context, r *route, e spool.Entry) error {
	p, err := planOf(e)
	if err != nil {
		return err
	}
	if p.Dated {
		if err := f.refusable(ctx, e, "time", r.remote.Chtimes(ctx, entryLocation(e), e.ModTime)); err != nil {
			return err
		}
	}
	if p.Mode == nil {
		return nil
	}
	return f.refusable(ctx, e, "mode", r.remote.Chmod(ctx, entryLocation(e), *p.Mode)) // last: it may take away the right to change the rest
}

// refusable makes nothing of what a server refuses to set but a line in the operator log.
func (f *Forwarder) refusable(ctx context.Context, e spool.Entry, what string, err error) error {
	switch cause := interrupted(ctx); {
	case err == nil:
		return nil
	case cause != nil:
		return cause
	case IsTemporary(err):
		return fmt.Errorf("set the %s of a delivered file: %w", what, err)
	}
	f.logger.Warn("the server refuses to set the "+what+" of a delivered file", "entry", e.ID, "path", entryPath(e), "error", err)
	return nil
}

// delivered puts a delivery on record, and ends the entry.
func (f *Forwarder) delivered(e spool.Entry, receipt Receipt) error {
	r := EntryRecord(audit.SpoolDelivered, e)
	r.Receipt = receipt.forRecord()
	r.Detail["waited_ms"] = fmt.Sprint(f.g.now().Sub(e.Accepted).Milliseconds())
	if err := f.log.Record(context.Background(), r); err != nil {
		return &logFailure{err}
	}
	f.supersede(e)
	if f.keep <= 0 || isHeldDir(e) {
		return f.ended(f.held.store.Remove(e.ID))
	}
	text, err := json.Marshal(r.Receipt)
	if err != nil {
		return fmt.Errorf("receipt of entry %s: %w", e.ID, err)
	}
	_, err = f.held.store.Update(e.ID, func(e *spool.Entry) error {
		e.State, e.Delivered, e.Receipt, e.Publishing, e.LastError = spool.Delivered, f.g.now(), text, false, ""
		return nil
	})
	return f.ended(err)
}

// supersede notes of older versions of a file that are held, or set aside, that they must not come over this one. One of which that
// cannot be noted is as if it had been released before.
func (f *Forwarder) supersede(e spool.Entry) {
	for _, o := range f.held.store.Lookup(e.Conduit, entryPath(e)) {
		if o.ID >= e.ID || o.State == spool.Waiting {
			continue
		}
		_, err := f.held.store.Update(o.ID, func(o *spool.Entry) error {
			return changePlan(o, func(p *plan) { p.Superseded = true })
		})
		if err != nil {
			f.logger.Error("it could not be noted that a newer version of a file is across", "entry", o.ID, "path", entryPath(o), "error", err)
		}
	}
}

// ended is for the last step, after which the file is across: it must not be delivered again because that failed.
func (f *Forwarder) ended(err error) error {
	if err != nil {
		return &unfinishedError{err}
	}
	return nil
}

// unfinishedError says that a file is across, but its entry could not be ended.
type unfinishedError struct{ cause error }

func (e *unfinishedError) Error() string {
	return "the file was delivered, but the spool could not note that: " + e.cause.Error()
}
func (e *unfinishedError) Unwrap() error { return e.cause }

// Temporary is true: the next attempt finds the file across the conduit, since its entry is marked as being published.
func (e *unfinishedError) Temporary() bool { return true }

// minBackoff and maxBackoff bound the pause before a file is tried again.
const (
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// postpone notes that an attempt has failed and can be repeated; it returns how long the lane waits.
func (f *Forwarder) postpone(e spool.Entry, cause error) time.Duration {
	pause := min(minBackoff<<min(e.Attempts, 10), maxBackoff)
	pause = pause/2 + rand.N(pause/2+1) // so that files which failed together do not come back together
	now := f.g.now()
	changed, err := f.held.store.Update(e.ID, func(e *spool.Entry) error {
		e.Attempts++
		e.LastAttempt, e.NextAttempt, e.LastError = now, now.Add(pause), cause.Error()
		return nil
	})
	if err != nil {
		f.logger.Error("a failed delivery could not be noted in the spool", "entry", e.ID, "cause", cause, "error", err)
		return spoolPause
	}
	r := EntryRecord(audit.SpoolRetry, changed)
	r.Cause = cause.Error()
	r.Detail["attempts"] = fmt.Sprint(changed.Attempts)
	f.note(r)
	f.logger.Warn("delivery failed, will be tried again", "entry", e.ID, "path", entryPath(e), "attempts", changed.Attempts, "in", pause.Round(time.Millisecond), "error", cause)
	return pause
}

// setAside keeps a file that cannot be delivered until somebody has looked at it. What it returns is for the file's lane: where the
// spool cannot note it, the file keeps its place.
func (f *Forwarder) setAside(e spool.Entry, cause error) (wait time.Duration, done bool) {
	changed, err := f.held.store.Update(e.ID, func(e *spool.Entry) error {
		e.State, e.LastAttempt, e.LastError, e.Attempts = spool.Aside, f.g.now(), cause.Error(), e.Attempts+1
		return nil
	})
	if err != nil {
		f.logger.Error("ALARM: a file that cannot be delivered could not be set aside", "entry", e.ID, "path", entryPath(e), "cause", cause, "error", err)
		return spoolPause, false
	}
	r := EntryRecord(audit.SpoolAside, changed)
	r.Cause = cause.Error()
	f.note(r)
	f.logger.Error("ALARM: a file cannot be delivered and was set aside", "entry", e.ID, "path", entryPath(e), "device", e.Device, "error", cause,
		"hint", "ftpgw spool show "+e.ID+"; when the cause is removed: ftpgw spool retry "+e.ID)
	f.holdRest(changed)
	f.left(changed)
	return 0, true
}

// note puts something on record that has happened in any case.
func (f *Forwarder) note(r audit.Record) {
	if err := f.log.Note(r); err != nil {
		f.logger.Error("an event of the spool is not on record", "event", r.Event, "path", r.Path, "error", err)
	}
}

// EntryRecord is the beginning of every record about an entry.
func EntryRecord(event audit.Event, e spool.Entry) audit.Record {
	size := e.Size
	return audit.Record{
		Event: event, Zone: e.Zone, Session: e.Session, Device: e.Device, Peer: e.Peer,
		TransferFields: &audit.TransferFields{
			Transfer: e.Transfer, Op: e.Op, Path: e.Path, To: entryPath(e), Bytes: &size, SHA256: e.SHA256, Rule: e.Rule, Reason: e.Reason, Policy: e.Policy,
			Conduit: e.Conduit, Acknowledge: string(policy.Spooled), Entry: e.ID,
		},
		Detail: map[string]string{},
	}
}
