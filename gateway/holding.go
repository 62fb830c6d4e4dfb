// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/internal/keylock"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// holding is the spool as a Destination: an upload is committed when it is durable on the appliance.
type holding struct {
	store *spool.Spool
	log   Recorder
	added func(spool.Entry) // told of every entry that is new, or changed so that it may be delivered
	left  func(spool.Entry) // told of every entry, as it was, that is removed or renamed

	names   keylock.Locks // by nameKey: nobody renames or removes a file while it is being delivered
	commits keylock.Locks // by nameKey: what an upload continues does not change between its last look and its commit
	mu      sync.Mutex
	claims  map[string]*nameClaim // by nameKey
}

// nameClaim is who wants a name that is being delivered.
type nameClaim struct {
	wanted  int                     // by those who wait for the lock, but for deliveries
	preempt context.CancelCauseFunc // ends the delivery under way; nil while there is none
}

// patience is how long a device waits for a name. What is being delivered under it gives way at once, unless it is just being
// published.
const patience = 30 * time.Second

// errPreempted ends a delivery whose file a device wants to change.
var errPreempted = errors.New("the device changes the file that is being delivered")

// lock keeps the forwarder and other devices away from a name.
func (h *holding) lock(ctx context.Context, conduit, name string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	key := nameKey(conduit, name)
	h.claim(key, func(c *nameClaim) {
		c.wanted++
		if c.preempt != nil {
			c.preempt(errPreempted)
		}
	})
	defer h.claim(key, func(c *nameClaim) { c.wanted-- })
	unlock, err = h.names.Lock(ctx, key)
	if err != nil {
		return nil, &busyError{name}
	}
	return unlock, nil
}

// lockToDeliver is lock for the forwarder: the context that it returns ends when a device wants the name, or has ended already.
func (h *holding) lockToDeliver(ctx context.Context, e spool.Entry) (context.Context, func(), error) {
	key := nameKey(e.Conduit, entryPath(e))
	unlock, err := h.names.Lock(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	h.claim(key, func(c *nameClaim) {
		c.preempt = cancel
		if c.wanted > 0 { // by somebody who has come later, and goes first
			cancel(errPreempted)
		}
	})
	return ctx, func() {
		h.claim(key, func(c *nameClaim) { c.preempt = nil })
		cancel(nil)
		unlock()
	}, nil
}

// claim changes what is known about a name.
func (h *holding) claim(key string, change func(*nameClaim)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.claims[key]
	if c == nil {
		c = &nameClaim{}
		h.claims[key] = c
	}
	if change(c); c.wanted == 0 && c.preempt == nil {
		delete(h.claims, key)
	}
}

func nameKey(conduit, name string) string { return conduit + "\x00" + name }

// plan is what the gateway keeps with an entry for its delivery, besides what the spool itself knows.
type plan struct {
	SetKind    policy.SetKind `json:"set_kind,omitempty"`
	SetTimeout int64          `json:"set_timeout_ms,omitempty"`
	SetOverdue policy.Overdue `json:"set_overdue,omitempty"`
	// Dated says that the device has set the time of modification (MFMT), so that it is set across the conduit, too.
	Dated bool `json:"dated,omitempty"`
	// Mode, where not nil, are the permission bits that the device has set (SITE CHMOD), so that they are set across the conduit, too.
	Mode *fs.FileMode `json:"mode,omitempty"`
	// Released says that the file need not wait for others of its set any more.
	Released bool `json:"released,omitempty"`
	// Behind and Place say where the file stands that was let go with its set: behind the entry of that ID, as which of the set.
	Behind string `json:"behind,omitempty"`
	Place  int    `json:"place,omitempty"`
	// Superseded says that a newer version of the file is across, which this one would replace.
	Superseded bool `json:"superseded,omitempty"`
}

func planOf(e spool.Entry) (p plan, err error) {
	if len(e.Plan) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(e.Plan, &p); err != nil {
		return p, fmt.Errorf("plan of entry %s: %w", e.ID, err)
	}
	return p, nil
}

// begin opens an upload into the spool.
func (h *holding) begin(t Target, o Origin, conduit string, d policy.Delivery) (*heldUpload, error) {
	if t.Path == "/" {
		return nil, fmt.Errorf("upload over the root: %w", fs.ErrPermission)
	}
	p := plan{SetKind: d.Set, SetTimeout: d.SetTimeout.Milliseconds(), SetOverdue: d.SetOverdue}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("plan of an upload: %w", err)
	}
	m := spool.Meta{
		Conduit: conduit, Home: t.Home, Path: t.Path,
		Verify: string(t.Verify), RequireFsync: t.Require.Fsync, RequireAtomic: t.Require.Atomic,
		Set: setOf(d.Set, t.Location), Plan: text,
	}
	o.onto(&m)
	w, err := h.store.Create(m, t.Declared)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &heldUpload{holding: h, writer: w, target: t, conduit: conduit}, nil
}

// onto adds the origin to what the spool keeps.
func (o Origin) onto(m *spool.Meta) {
	m.Zone, m.Device, m.Session, m.Peer, m.Transfer = o.Zone, o.Device, o.Session, o.Peer, o.Transfer
	m.Op, m.Rule, m.Reason, m.Policy = string(o.Op), o.Rule, o.Reason, o.Policy
}

// heldUpload is an upload on its way into the spool.
type heldUpload struct {
	holding *holding
	writer  *spool.Writer
	target  Target
	conduit string
	base    func(context.Context) error // whether the file that is continued is still the same; nil where there is none
	entry   *spool.Entry                // once it is committed
}

// Write implements Upload.
func (u *heldUpload) Write(p []byte) (int, error) { return u.writer.Write(p) }

// ReadFrom implements Upload.
func (u *heldUpload) ReadFrom(r io.Reader) (int64, error) { return u.writer.ReadFrom(r) }

// Commit implements Upload. The terms are asked first, since they may take their time and say where the file goes, and again when
// it is durable, just before it gets its name in the spool.
func (u *heldUpload) Commit(ctx context.Context, t Terms) (Receipt, error) {
	against, last := u.hold(ctx, t), func() error { return u.hold(ctx, t) }
	aside := t.AsideFor(against)
	if against != nil && aside == "" {
		u.writer.Abort()
		return Receipt{}, against
	}
	err := u.writer.Amend(func(m *spool.Meta) {
		t.Origin.onto(m)
		if aside != "" {
			m.Path, m.Set, last = path.Join(path.Dir(m.Path), aside), "", nil
		}
	})
	if err == nil {
		u.entry, err = u.commit(ctx, last)
	}
	if err != nil {
		u.writer.Abort()
		return Receipt{}, fmt.Errorf("spool: %w", errors.Join(against, err))
	}
	return Receipt{Bytes: u.entry.Size, Fsynced: true, Atomic: true, Verified: VerifySize, Path: "spool:" + u.entry.ID}, against
}

// commit waits for others that commit under the same name: a look at what stands there must hold until the file has it.
func (u *heldUpload) commit(ctx context.Context, last func() error) (*spool.Entry, error) {
	unlock, err := u.holding.commits.Lock(context.WithoutCancel(ctx), nameKey(u.conduit, u.target.String()))
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := u.writer.Commit(hex.EncodeToString(u.target.Digest()), last)
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// hold is what speaks against the file in this moment.
func (u *heldUpload) hold(ctx context.Context, t Terms) error {
	if err := t.Hold(); err != nil {
		return err
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	if u.base != nil {
		return u.base(ctx)
	}
	return nil
}

// release lets the file be delivered. What became of its upload is on record then.
func (u *heldUpload) release() {
	if u.entry != nil {
		u.holding.added(*u.entry)
	}
}

// Abort implements Upload.
func (u *heldUpload) Abort(error) { u.writer.Abort() }

// open opens an entry for a device, or for delivery.
func (h *holding) open(e spool.Entry, offset int64) (Download, error) {
	if isHeldDir(e) {
		return nil, fmt.Errorf("open %s: %w", e.Path, syscall.EISDIR)
	}
	if offset > e.Size {
		return nil, fmt.Errorf("open %s at byte %d of %d: %w", e.Path, offset, e.Size, ErrBadOffset)
	}
	data, err := h.store.OpenData(e.ID)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &heldDownload{entry: e, data: data, skip: offset, left: e.Size - offset}, nil
}

// heldDownload is a file of the spool on its way out.
type heldDownload struct {
	entry spool.Entry
	data  io.ReadCloser
	skip  int64 // bytes in front of those that are wanted
	left  int64
}

// Info implements Download.
func (d *heldDownload) Info() fs.FileInfo { return heldInfo{d.entry} }

// Close implements Download.
func (d *heldDownload) Close() error { return d.data.Close() }

// reach reads up to the first byte that is wanted: only whoever has read all bytes knows in the end whether they are what was accepted.
// It is WriteTo's, for whoever has a ctx.
func (d *heldDownload) reach(ctx context.Context) error {
	n, err := io.CopyN(&interruptible{ctx, io.Discard}, d.data, d.skip)
	d.skip -= n
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("entry %s of the spool ended %d bytes before what is wanted", d.entry.ID, d.skip)
	case err != nil:
		return fmt.Errorf("entry %s of the spool, in front of what is wanted: %w", d.entry.ID, err)
	}
	return nil
}

// WriteTo implements Download. It reads up to the end of the data rather than up to their last byte: there the spool says whether they
// are what was accepted.
func (d *heldDownload) WriteTo(w io.Writer) (int64, error) {
	if err := d.reach(context.Background()); err != nil {
		return 0, err
	}
	n, err := io.Copy(w, d.data)
	if err == nil && n != d.left {
		err = fmt.Errorf("entry %s of the spool ended after %d of %d bytes", d.entry.ID, n, d.left)
	}
	d.left -= n
	return n, err
}
