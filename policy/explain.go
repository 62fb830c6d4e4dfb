// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
)

// Step is what one rule had to say to a Question.
type Step struct {
	Rule    string // the rule's name
	Outcome string // "matched", "not matched" or "pending"
	Why     string // the first condition that failed, or what is still open, in words
}

// Explain answers a Question as Decide does, and tells the way there: one Step for each rule up to the one that decided.
func (p *Policy) Explain(q Question) (Decision, []Step) {
	d := p.Decide(q)
	var steps []Step
	for i := range p.rules {
		r := &p.rules[i]
		switch o, c := r.match(&q); o {
		case notMatched:
			steps = append(steps, Step{Rule: r.Name, Outcome: "not matched", Why: r.whyNot(c, &q)})
		case pending:
			steps = append(steps, Step{Rule: r.Name, Outcome: "pending", Why: "it depends on the size: " + r.sizeWords()})
		case matched:
			return d, append(steps, Step{Rule: r.Name, Outcome: "matched", Why: "every condition holds"})
		}
	}
	return d, steps
}

func (r *Rule) whyNot(c condition, q *Question) string {
	switch c {
	case conditionOp:
		verb := "allows"
		if r.Deny {
			verb = "denies"
		}
		return fmt.Sprintf("it %s %s, not %s", verb, joinWords(r.Ops), q.Op)
	case conditionDevice:
		return fmt.Sprintf("device %q is not among %s", q.Device, joinGlobs(r.Devices))
	case conditionZone:
		return fmt.Sprintf("zone %q is not among %s", q.Zone, joinGlobs(r.Zones))
	case conditionFrom:
		return fmt.Sprintf("address %s is not in %s", q.Peer, joinWords(r.From))
	case conditionPath:
		return fmt.Sprintf("path %q is not among %s", q.Path, joinGlobs(r.Paths))
	case conditionSize:
		return fmt.Sprintf("size %d is not %s", q.Size, r.sizeWords())
	}
	return string(c)
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
