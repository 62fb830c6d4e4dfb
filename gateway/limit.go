// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// LimitError is the refusal of what goes beyond a limit. It is on record.
type LimitError struct {
	*quota.Exceeded
	Op policy.Operation
}

func (e *LimitError) Unwrap() error { return e.Exceeded }

// errUncounted says that a gateway has nothing to count with. It is a mistake of whoever has made it.
var errUncounted = errors.New("the policy has limits, and this gateway does not count")

// countError is the error of a transfer whose usage could not be made durable: trying again can help, once there is space.
type countError struct{ cause error }

func (e *countError) Error() string   { return "counts of limits: " + e.cause.Error() }
func (e *countError) Unwrap() error   { return e.cause }
func (e *countError) Temporary() bool { return true }

// claim reserves what a transfer needs. What is beyond a limit is put on record, and returned as a LimitError. The Grant is nil where
// nothing is limited; that can be used like any other.
func (g *Gateway) claim(s Session, q policy.Question, d policy.Decision, kept, announced int64) (*quota.Grant, error) {
	bounds := boundsOf(s, q.Op, d)
	if g.quota == nil {
		if len(bounds) > 0 {
			return nil, errUncounted
		}
		return nil, nil
	}
	grant, err := g.quota.Begin(bounds, kept, announced)
	if err != nil {
		return nil, g.refuse(s, q, d, err)
	}
	return grant, nil
}

// boundsOf are the limits that bind a transfer. A rule's bandwidth is that of the way across: a file that is acknowledged when it is
// spooled has yet to go it, and comes in as fast as its device may send.
func boundsOf(s Session, op policy.Operation, d policy.Decision) []policy.Bound {
	bounds := d.Bounds(s.Device)
	if d.Deliver.Acknowledge != policy.Spooled || op == policy.Download {
		return bounds
	}
	for i := range bounds {
		if bounds[i].Rule != "" {
			bounds[i].Bandwidth = 0
		}
	}
	return bounds
}

// refuse puts on record what is refused because of a limit.
func (g *Gateway) refuse(s Session, q policy.Question, d policy.Decision, err error) error {
	var e *quota.Exceeded
	if !errors.As(err, &e) {
		return err
	}
	r := s.record(audit.DecisionDenied)
	r.TransferFields = decisionFields(q.Op, q.Path, d)
	r.Cause = e.Error()
	r.Detail = map[string]string{
		"limit": string(e.Limit), "of": e.Bound.String(), "used": strconv.FormatInt(e.Used, 10), "allowed": strconv.FormatInt(e.Allowed, 10),
	}
	if e.Free > 0 {
		r.Detail["free_in"] = e.Free.String()
	}
	if err := g.note(r); err != nil {
		return err
	}
	return &LimitError{Exceeded: e, Op: q.Op}
}

// limit holds n bytes that have come against the limits, and lets them pass when the bandwidth does.
func (in *Incoming) limit(ctx context.Context, n int) error {
	if err := in.grant.Take(int64(n)); err != nil {
		return in.g.refuse(in.session, in.question, in.decision, err)
	}
	if err := in.grant.Pace().Wait(ctx, n); err != nil {
		return told(ctx, fmt.Errorf("wait for the bandwidth: %w", err))
	}
	return nil
}

// rebind puts the upload under the limits of the decision that was made when everything was known.
func (in *Incoming) rebind() error {
	bounds := boundsOf(in.session, in.question.Op, in.decision)
	if in.grant == nil {
		if len(bounds) > 0 {
			return errUncounted
		}
		return nil
	}
	if err := in.grant.Rebind(bounds); err != nil {
		return in.g.refuse(in.session, in.question, in.decision, err)
	}
	return nil
}

// counted returns nil when what was charged is durable.
func (in *Incoming) counted() error { return counted(in.grant) }

func counted(grant *quota.Grant) error {
	if err := grant.Durable(); err != nil {
		return &countError{err}
	}
	return nil
}

// charge reserves and charges the whole download: what has been sent nobody can take back.
func (out *Outgoing) charge() (err error) {
	if out.grant, err = out.g.claim(out.session, out.question, out.decision, out.request.Offset, out.Size()); err != nil {
		return err
	}
	if err := out.grant.Take(out.Size()); err != nil {
		return out.g.refuse(out.session, out.question, out.decision, err)
	}
	out.grant.Charge()
	return nil
}

// Usage says how much of each limit of the policy in force is used, for operators: of every device and shared rule that has limits, and
// of every other rule for the devices that have used it. It is in the order of devices and rules.
func (g *Gateway) Usage() []quota.Usage {
	if g.quota == nil {
		return nil
	}
	p := g.policy.Load()
	var bounds []policy.Bound
	for _, d := range p.Devices() {
		if d.Limits != nil {
			bounds = append(bounds, policy.Bound{Limits: *d.Limits, Device: d.Name})
		}
	}
	keys := g.quota.Keys()
	slices.Sort(keys)
	for _, r := range p.Rules() {
		if r.Limits == nil {
			continue
		}
		b := policy.Bound{Limits: *r.Limits, Rule: r.Name}
		if r.Limits.Shared {
			bounds = append(bounds, b)
			continue
		}
		first, _ := slices.BinarySearch(keys, b.Key()+"/")
		for _, key := range keys[first:] {
			device, ok := strings.CutPrefix(key, b.Key()+"/")
			if !ok {
				break
			}
			b.Device = device
			bounds = append(bounds, b)
			b.Device = ""
		}
	}
	return g.quota.Usage(bounds...)
}
