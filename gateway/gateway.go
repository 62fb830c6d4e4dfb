// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
	"github.com/ftpgw/ftpgw/spool"
)

// Recorder is the audit log as the gateway needs it.
type Recorder interface {
	// Record returns nil only when r is durable.
	Record(ctx context.Context, r audit.Record) error
	// Note returns nil when r is written, so that the end of the program cannot lose it; it is durable soon. Its error says that the
	// log takes nothing more.
	Note(r audit.Record) error
	// Accepts returns nil as long as records about the zone are accepted, and otherwise why they are not.
	Accepts(zone string) error
}

// Session is who acts, for every question and every record: one device behind one control connection.
type Session struct {
	ID     string         // unique among all sessions of an installation
	Zone   string         // the zone's label
	Device string         // the device's label
	Home   string         // below the conduit's root; the device sees it as /
	Peer   netip.AddrPort // the device's end of the control connection
	TLS    bool           // the control connection is under TLS
	// Certificate holds the names in the client certificate that was verified, in lower case; empty where there is none.
	Certificate []string
}

// Options is what a Gateway is made of.
type Options struct {
	Policy  *policy.Policy
	Remotes map[string]Remote // by the conduit's label
	Log     Recorder
	Logger  *slog.Logger
	Now     func() time.Time // the clock that the policy is asked with
	// TraceDenials puts what each rule said into the record of a denial.
	TraceDenials bool
	// Spool, where not nil, holds the uploads of rules that acknowledge them as spooled. Forward says how it is emptied.
	Spool   *spool.Spool
	Forward ForwardOptions
	// Quota counts where the policy has limits. Without one, what the policy limits is refused.
	Quota  *quota.Store
	Limits Limits
}

// Limits bound what a device may ask for. In each field 0 is the largest that is possible.
type Limits struct {
	PathLength     int // bytes, MaxPath at most
	PathDepth      int // names in a path, MaxDepth at most
	ListingEntries int // of one directory
}

// Gateway moves files between devices and conduits. It is safe for concurrent use.
type Gateway struct {
	policy  atomic.Pointer[policy.Policy]
	remotes map[string]Remote // each behind the gate
	gate    gate
	log     Recorder
	logger  *slog.Logger
	now     func() time.Time
	tracing bool
	held    *holding     // nil without a spool
	forward *Forwarder   // nil without a spool
	quota   *quota.Store // nil: what is limited is refused
	limits  Limits
	chunks  sync.Pool // of hashing
}

// New makes a Gateway.
func New(o Options) *Gateway {
	g := &Gateway{
		remotes: make(map[string]Remote), log: o.Log, logger: o.Logger, now: o.Now, tracing: o.TraceDenials, quota: o.Quota, limits: o.Limits,
	}
	for name, r := range o.Remotes {
		g.remotes[name] = gated{r, &g.gate}
	}
	g.policy.Store(o.Policy)
	if o.Spool != nil {
		g.held = &holding{store: o.Spool, log: o.Log, claims: make(map[string]*nameClaim)}
		g.forward = newForwarder(g, g.remotes, o.Forward)
		g.held.added, g.held.left = g.forward.offer, g.forward.left
	}
	return g
}

// Forwarder empties the spool. It is nil where there is none.
func (g *Gateway) Forwarder() *Forwarder { return g.forward }

// SetPolicy puts a policy into force for all that is asked from now on. A transfer ends under the policy with which it began.
func (g *Gateway) SetPolicy(p *policy.Policy) { g.policy.Store(p) }

// reach finds what a decision about s leads to: the conduit, with what is held for it in the spool in front of it.
func (g *Gateway) reach(s Session, op policy.Operation, d policy.Decision) (Remote, error) {
	r, err := g.conduit(d.Deliver.Conduit)
	if err != nil || g.held == nil {
		return r, err
	}
	return &overlay{Remote: r, held: g.held, conduit: d.Deliver.Conduit, deliver: d.Deliver, origin: s.origin(op, d)}, nil
}

// conduit finds a conduit by its label.
func (g *Gateway) conduit(name string) (Remote, error) {
	r, ok := g.remotes[name]
	if !ok {
		return nil, fmt.Errorf("the policy leads to conduit %q, which this gateway does not have", name)
	}
	return r, nil
}

// origin is what a destination may keep of s and of what was decided.
func (s Session) origin(op policy.Operation, d policy.Decision) Origin {
	return Origin{
		Zone: s.Zone, Device: s.Device, Session: s.ID, Peer: s.Peer.String(), Op: op, Rule: d.Rule, Reason: d.Reason, Policy: d.Policy,
	}
}

// record is the beginning of every record about s.
func (s Session) record(e audit.Event) audit.Record {
	return audit.Record{Event: e, Zone: s.Zone, Session: s.ID, Device: s.Device, Peer: s.Peer.String()}
}

func (s Session) locate(path string) Location { return Location{Home: s.Home, Path: path} }

// newTransferID makes the name under which the records of one transfer are found.
func newTransferID() string {
	var b [8]byte
	rand.Read(b[:]) // crypto/rand.Read never fails
	return hex.EncodeToString(b[:])
}

// logFailure is the error of an operation that cannot be put on record: trying again can help, once somebody has looked.
type logFailure struct{ cause error }

func (e *logFailure) Error() string   { return "audit log: " + e.cause.Error() }
func (e *logFailure) Unwrap() error   { return e.cause }
func (e *logFailure) Temporary() bool { return true }

// note puts r on record without waiting; an error means that nothing may happen any more.
func (g *Gateway) note(r audit.Record) error {
	if err := g.log.Note(r); err != nil {
		return &logFailure{err}
	}
	return nil
}

// record puts r on record and returns when it is durable. It is not given up when ctx ends: what it tells has happened.
func (g *Gateway) record(ctx context.Context, r audit.Record) error {
	if err := g.log.Record(context.WithoutCancel(ctx), r); err != nil {
		return &logFailure{err}
	}
	return nil
}

// recordBeside is record while something else goes on. What it returns waits for the record, and must be called.
func (g *Gateway) recordBeside(ctx context.Context, r audit.Record) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- g.record(ctx, r) }() // wait waits for it
	return sync.OnceValue(func() error { return <-done })
}

// accepts reports why nothing can be put on record, as far as that is known.
func (g *Gateway) accepts(s Session) error {
	if err := g.log.Accepts(s.Zone); err != nil {
		return &logFailure{err}
	}
	return nil
}

// interrupted is the reason why ctx ended, or nil while it has not.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
		return cause
	}
	return ctx.Err()
}
