// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// NoRule is the Reason of a Decision that no rule made.
const NoRule = "no rule matches; what is not allowed is denied"

// Policy is an ordered list of rules. It is immutable and safe for concurrent use; the zero Policy denies everything.
type Policy struct {
	every  []*compiled
	named  map[string]*compiled
	index  index
	digest string
}

// compiled is a Rule with what is worked out once.
type compiled struct {
	Rule
	at  int // its place
	ops opSet
}

// New makes a Policy of rules in their order, about devices: those that it is not told of belong to no group and have no labels. It
// refuses what would make a decision unaccountable: a rule without a name or a reason, a second rule of the same name, a rule over no
// operation, an allowing rule that leads nowhere.
func New(rules []Rule, devices ...Device) (*Policy, error) {
	p := &Policy{named: make(map[string]*compiled, len(rules))}
	for i, r := range rules {
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("rule %d has no name", i+1)
		case p.named[r.Name] != nil:
			return nil, fmt.Errorf("rule %q stands twice", r.Name)
		}
		if err := r.check(); err != nil {
			return nil, err
		}
		c := &compiled{Rule: r, at: i, ops: setOf(r.Ops)}
		p.every, p.named[r.Name] = append(p.every, c), c
	}
	known := make(map[string]bool, len(devices))
	var list []*Device
	for _, d := range devices {
		if known[d.Name] {
			return nil, fmt.Errorf("device %q stands twice", d.Name)
		}
		known[d.Name], list = true, append(list, &d)
	}
	p.index = newIndex(p.every, list)
	return p, nil
}

// Rules returns the rules in their order.
func (p *Policy) Rules() []Rule {
	var rules []Rule
	for _, r := range p.every {
		rules = append(rules, r.Rule)
	}
	return rules
}

// RulesFor returns the rules that could be about the named device, in their order.
func (p *Policy) RulesFor(device string) []Rule {
	var rules []Rule
	for _, r := range p.rulesAbout(device) {
		rules = append(rules, r.Rule)
	}
	return rules
}

// Devices returns the devices that the policy knows, by name.
func (p *Policy) Devices() []Device {
	var devices []Device
	for _, s := range p.index.subjects {
		devices = append(devices, *s.Device)
	}
	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return devices
}

// WithDigest is the same policy under a name: every Decision carries it, so that a record says which policy was in force.
func (p *Policy) WithDigest(digest string) *Policy {
	named := *p
	named.digest = digest
	return &named
}

// Digest is the name given with WithDigest.
func (p *Policy) Digest() string { return p.digest }

// Decide answers a Question. It never fails: what it cannot allow it denies.
func (p *Policy) Decide(q Question) Decision {
	in := p.inquire(q)
	d := p.decide(&in)
	d.Policy = p.digest
	return d
}

func (p *Policy) decide(in *inquiry) Decision {
	var candidate *compiled // the first rule that could allow it, once everything is known
	var bound bounds
	open := false // a rule before this one is pending
	list := p.candidates(in)
	for r := list.next(); r != nil; r = list.next() {
		outcome, c := r.match(in)
		if outcome == notMatched {
			continue
		}
		if !r.Deny && outcome != failed {
			bound.widen(&r.Rule)
			if candidate == nil {
				candidate = r
			}
		}
		switch {
		case outcome == pending:
			open = true
			bound.awaits |= r.awaits(in, c)
		case open && candidate != nil:
			return candidate.pend(in, bound)
		case outcome == failed:
			return r.decideFailed(in)
		default:
			return r.decide(in)
		}
	}
	if candidate != nil {
		return candidate.pend(in, bound)
	}
	return Decision{Verdict: Denied, Reason: NoRule}
}

// CutOff reports whether a transfer that the named rule allowed must be broken off at that instant, since the rule's window has closed.
func (p *Policy) CutOff(rule string, at time.Time) bool {
	r := p.named[rule]
	return r != nil && r.Window != nil && r.Window.CutOff && !r.Window.Open(at)
}

// Holds reports whether the named rule's window is open at that instant. A rule that there is no more, or that has no window, keeps
// nothing from moving.
func (p *Policy) Holds(rule string, at time.Time) bool {
	r := p.named[rule]
	return r == nil || r.Window.Open(at)
}

// Lead is a conduit to which rules lead a device. Spooled is true where one of them has what is uploaded kept in the spool.
type Lead struct {
	Conduit string
	Spooled bool
}

// LeadsFor names the conduits that a device's directories are looked up on where no rule is asked (CWD): those of all rules that
// could ever allow this device something, in the order of the rules, each once.
func (p *Policy) LeadsFor(device, zone string, peer netip.Addr) []Lead {
	in := p.inquire(Question{Device: device, Zone: zone, Peer: peer})
	var leads []Lead
	for _, r := range p.rulesAbout(device) {
		if r.Deny || r.matchSubject(&in) != "" {
			continue
		}
		i := slices.IndexFunc(leads, func(l Lead) bool { return l.Conduit == r.Deliver.Conduit })
		if i < 0 {
			i = len(leads)
			leads = append(leads, Lead{Conduit: r.Deliver.Conduit})
		}
		leads[i].Spooled = leads[i].Spooled || r.Deliver.Acknowledge == Spooled
	}
	return leads
}

func (r *compiled) decide(in *inquiry) Decision {
	if r.Deny {
		return Decision{Verdict: Denied, Rule: r.Name, Reason: r.Reason}
	}
	d := Decision{Verdict: Allowed, Rule: r.Name, Reason: r.Reason, Deliver: r.Deliver, Content: r.demand(in.Op), Limits: r.limiting(in, false)}
	if d.Content != nil {
		d.Measure = d.Content.MaxExpanded
	}
	if in.Op.transfers() {
		d.MaxSize = r.MaxSize
	}
	return r.place(in, d)
}

// place fills in the path of an upload. Where that fails the file cannot go anywhere.
func (r *compiled) place(in *inquiry, d Decision) Decision {
	if r.PathTemplate == nil || !in.Op.receives() {
		return d
	}
	if in.scope == nil {
		in.scope = newScope(in)
	}
	// The template's values are in Unicode's form NFC. Names in another form are equal to others there, and two devices' files would
	// be one.
	if cty.NormalizeString(in.Path) != in.Path {
		return Decision{Verdict: Denied, Rule: r.Name, Reason: "the name is not in Unicode's form NFC, which the rule's path needs"}
	}
	var err error
	if d.Deliver.Path, err = r.PathTemplate.path(in.scope, r.location()); err != nil {
		return Decision{Verdict: Denied, Rule: r.Name, Reason: fmt.Sprintf("the rule's path could not be filled in: %v", err)}
	}
	return d
}

// decideFailed is the denial by a rule whose condition could not be evaluated: nobody knows what it would have said.
func (r *compiled) decideFailed(in *inquiry) Decision {
	_, err := r.When.evaluate(in.scope, r.location())
	return Decision{Verdict: Denied, Rule: r.Name, Reason: fmt.Sprintf("the rule's condition could not be evaluated: %v", err)}
}

// pend is the answer while it is open which rule decides. The limits of the only one that could hold from the start: where it does
// not decide, nothing allows the transfer.
func (r *compiled) pend(in *inquiry, bound bounds) Decision {
	if bound.rules == 1 {
		bound.max = r.MaxSize // its limits say the rest, in words of their own
	}
	d := Decision{Verdict: Pending, Rule: r.Name, Reason: r.Reason, Deliver: r.Deliver, MaxSize: bound.max, Content: r.demand(in.Op), Awaits: bound.awaits,
		Limits: r.limiting(in, bound.rules > 1)}
	if in.Op.receives() {
		d.Measure = bound.expanded
	}
	return r.place(in, d)
}

// demand is what the rule demands of a file's content.
func (r *Rule) demand(op Operation) *Content {
	if !op.receives() {
		return nil
	}
	return r.Content
}

// location is where the rule's times of day are told.
func (r *Rule) location() *time.Location {
	if r.Window == nil {
		return time.UTC
	}
	return r.Window.Location
}

// bounds are the widest that any candidate rule sets, and what the decision waits for.
type bounds struct {
	rules    int   // how many candidates there are
	max      int64 // bytes of the file
	endless  bool
	expanded int64 // bytes that it may expand to
	awaits   Unknown
}

func (b *bounds) widen(r *Rule) {
	b.rules++
	most := r.mostBytes()
	if most == 0 {
		b.endless, b.max = true, 0
	}
	if !b.endless {
		b.max = max(b.max, most)
	}
	if r.Content != nil {
		b.expanded = max(b.expanded, r.Content.MaxExpanded)
	}
}
