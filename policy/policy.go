// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// NoRule is the Reason of a Decision that no rule made.
const NoRule = "no rule matches; what is not allowed is denied"

// Policy is an ordered list of rules. It is immutable and safe for concurrent use; the zero Policy denies everything.
type Policy struct {
	rules []Rule
}

// New makes a Policy of rules in their order. It refuses what would make a decision unaccountable: a rule without a name or a
// reason, a second rule of the same name, a rule over no operation, an allowing rule that leads nowhere.
func New(rules []Rule) (*Policy, error) {
	seen := make(map[string]bool, len(rules))
	for i, r := range rules {
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("rule %d has no name", i+1)
		case seen[r.Name]:
			return nil, fmt.Errorf("rule %q stands twice", r.Name)
		case r.Reason == "":
			return nil, fmt.Errorf("rule %q has no reason", r.Name)
		case len(r.Ops) == 0:
			return nil, fmt.Errorf("rule %q is over no operation", r.Name)
		case !r.Deny && r.Deliver.Conduit == "":
			return nil, fmt.Errorf("rule %q allows but names no conduit", r.Name)
		case r.MaxSize > 0 && r.MinSize > r.MaxSize:
			return nil, fmt.Errorf("rule %q: min_size %d is above max_size %d", r.Name, r.MinSize, r.MaxSize)
		}
		seen[r.Name] = true
	}
	return &Policy{rules: slices.Clone(rules)}, nil
}

// Rules returns the rules in their order.
func (p *Policy) Rules() []Rule { return slices.Clone(p.rules) }

// Decide answers a Question. It never fails: what it cannot allow it denies.
func (p *Policy) Decide(q Question) Decision {
	var candidate *Rule // the first rule that could allow it, once the size is known
	var bound sizeBound
	open := false // a rule before this one depends on the size
	for i := range p.rules {
		r := &p.rules[i]
		outcome, _ := r.match(&q)
		if outcome == notMatched {
			continue
		}
		if !r.Deny {
			bound.widen(r.MaxSize)
			if candidate == nil {
				candidate = r
			}
		}
		if outcome == pending {
			open = true
			continue
		}
		if !open || candidate == nil {
			return r.decide(q.Op)
		}
		return candidate.pend(bound)
	}
	if candidate != nil {
		return candidate.pend(bound)
	}
	return Decision{Verdict: Denied, Reason: NoRule}
}

// ConduitFor names the conduit that a device's directories are looked up on where no rule is asked (CWD): the one of the first
// rule that could ever allow this device something. It is false where there is no such rule.
func (p *Policy) ConduitFor(device, zone string, peer netip.Addr) (string, bool) {
	q := Question{Device: device, Zone: zone, Peer: peer}
	for i := range p.rules {
		r := &p.rules[i]
		if !r.Deny && r.matchSubject(&q) == "" {
			return r.Deliver.Conduit, true
		}
	}
	return "", false
}

func (r *Rule) decide(op Operation) Decision {
	if r.Deny {
		return Decision{Verdict: Denied, Rule: r.Name, Reason: r.Reason}
	}
	d := Decision{Verdict: Allowed, Rule: r.Name, Reason: r.Reason, Deliver: r.Deliver}
	if op.transfers() {
		d.MaxSize = r.MaxSize
	}
	return d
}

func (r *Rule) pend(bound sizeBound) Decision {
	return Decision{Verdict: Pending, Rule: r.Name, Reason: r.Reason, Deliver: r.Deliver, MaxSize: bound.max}
}

// sizeBound is the largest size that any candidate rule allows.
type sizeBound struct {
	max     int64
	endless bool
}

func (b *sizeBound) widen(maxSize int64) {
	if maxSize == 0 {
		b.endless, b.max = true, 0
	}
	if !b.endless {
		b.max = max(b.max, maxSize)
	}
}
