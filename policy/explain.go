// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"time"
)

// NotReached is the Outcome of the rules behind the one that decided.
const NotReached = "not reached"

// Step is what one rule had to say to a Question.
type Step struct {
	Rule    string // the rule's name
	Outcome string // "matched", "not matched", "pending", "failed" or "not reached"
	Why     string // the first condition that failed, or what is still open, in words
}

// Explain answers a Question as Decide does, and tells the way there: one Step for every rule, in order. Those behind the one that
// decided are "not reached".
func (p *Policy) Explain(q Question) (Decision, []Step) {
	in := p.inquire(q)
	var steps []Step
	decided := ""
	for _, r := range p.every {
		if decided != "" {
			steps = append(steps, Step{Rule: r.Name, Outcome: NotReached, Why: fmt.Sprintf("%q decides", decided)})
			continue
		}
		o, c := r.match(&in)
		steps = append(steps, r.step(o, c, &in))
		if o == matched || o == failed {
			decided = r.Name
		}
	}
	return p.Decide(q), steps
}

func (r *compiled) step(o outcome, c condition, in *inquiry) Step {
	s := Step{Rule: r.Name, Outcome: "not matched"}
	switch {
	case o == notMatched:
		s.Why = r.whyNot(c, in)
	case o == failed:
		s.Outcome, s.Why = "failed", r.decideFailed(in).Reason
	case o == matched:
		s.Outcome, s.Why = "matched", "every condition holds"
	case c == conditionSize:
		s.Outcome, s.Why = "pending", "it depends on the size: "+r.sizeWords()
	case c == conditionType:
		s.Outcome, s.Why = "pending", "it depends on what is in the file: "+strings.Join(r.Types, ", ")
	default:
		s.Outcome, s.Why = "pending", "it depends on what is not known yet: "+r.When.String()
	}
	return s
}

func (r *Rule) whyNot(c condition, in *inquiry) string {
	switch c {
	case conditionOp:
		verb := "allows"
		if r.Deny {
			verb = "denies"
		}
		return fmt.Sprintf("it %s %s, not %s", verb, joinWords(r.Ops), in.Op)
	case conditionDevice:
		return fmt.Sprintf("device %q is not among %s", in.Device, r.subjectWords())
	case conditionZone:
		return fmt.Sprintf("zone %q is not among %s", in.Zone, joinGlobs(r.Zones))
	case conditionFrom:
		return fmt.Sprintf("address %s is not in %s", in.Peer, joinWords(r.From))
	case conditionTLS:
		return fmt.Sprintf("the control connection %s under TLS", map[bool]string{true: "is", false: "is not"}[in.TLS])
	case conditionCert:
		return fmt.Sprintf("no name in the client certificate (%s) is among %s", strings.Join(in.Certificate, ", "), joinGlobs(r.Certificates))
	case conditionPath:
		return fmt.Sprintf("path %q is not among %s", in.Path, joinGlobs(r.Paths))
	case conditionExcept:
		return fmt.Sprintf("path %q is excepted by %s", in.Path, joinGlobs(r.ExceptPaths))
	case conditionName:
		return fmt.Sprintf("name %q is not among %s", in.name, joinGlobs(r.Names))
	case conditionSize:
		return fmt.Sprintf("size %d is not %s", in.Size, r.sizeWords())
	case conditionType:
		if !in.Op.receives() {
			return fmt.Sprintf("it is about files that are %s, and %s brings none", strings.Join(r.Types, ", "), in.Op)
		}
		return fmt.Sprintf("the file is %s, not %s", in.Type, strings.Join(r.Types, ", "))
	case conditionWindow:
		return fmt.Sprintf("%s is outside of %s", in.Time.In(r.location()).Format("Mon "+time.RFC3339), r.Window)
	case conditionWhen:
		return fmt.Sprintf("its condition is not true: %s", r.When)
	}
	return string(c)
}

// subjectWords names the devices and groups that a rule is about.
func (r *Rule) subjectWords() string {
	var words []string
	if len(r.Devices) > 0 {
		words = append(words, joinGlobs(r.Devices))
	}
	if len(r.Groups) > 0 {
		words = append(words, "groups "+joinGlobs(r.Groups))
	}
	return strings.Join(words, ", ")
}

func (r *Rule) sizeWords() string {
	switch {
	case r.MinSize > 0 && r.MaxSize > 0:
		return fmt.Sprintf("from %d to %d bytes", r.MinSize, r.MaxSize)
	case r.MinSize > 0:
		return fmt.Sprintf("at least %d bytes", r.MinSize)
	default:
		return fmt.Sprintf("at most %d bytes", r.MaxSize)
	}
}

func joinGlobs(globs []Glob) string {
	quoted := make([]string, len(globs))
	for i, g := range globs {
		quoted[i] = fmt.Sprintf("%q", g.String())
	}
	return strings.Join(quoted, ", ")
}

func joinWords[T any](words []T) string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = fmt.Sprint(w)
	}
	return strings.Join(s, ", ")
}
