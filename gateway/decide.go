// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"io/fs"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// question is what the policy is asked about one step of s.
func (g *Gateway) question(s Session, op policy.Operation, path string, size int64) policy.Question {
	return policy.Question{Device: s.Device, Zone: s.Zone, Peer: s.Peer.Addr(), TLS: s.TLS, Certificate: s.Certificate, Op: op, Path: path, Size: size, Time: g.now(),
		Declared: policy.SizeUnknown}
}

// decide asks p. A denial is put on record and returned as a DeniedError; an allowed or pending decision is for the caller to put
// on record together with what comes of it.
func (g *Gateway) decide(p *policy.Policy, s Session, op policy.Operation, path string, size int64) (policy.Decision, error) {
	return g.decideQuestion(p, s, g.question(s, op, path, size))
}

// decideQuestion is decide for a question that knows more. A transfer asks all its questions as of the moment at which it began.
func (g *Gateway) decideQuestion(p *policy.Policy, s Session, q policy.Question) (policy.Decision, error) {
	if err := g.checkPath(q.Path); err != nil {
		return policy.Decision{}, err
	}
	d := p.Decide(q)
	if d.Verdict != policy.Denied {
		return d, nil
	}
	r := s.record(audit.DecisionDenied)
	r.TransferFields = decisionFields(q.Op, q.Path, d)
	r.Content = q.Type
	if q.Size != policy.SizeUnknown {
		r.Bytes = &q.Size
	}
	if g.tracing {
		r.Trace, r.TraceOmitted = trace(p, q)
	}
	if err := g.note(r); err != nil {
		return d, err
	}
	return d, &DeniedError{Decision: d}
}

// deny refuses what a rule would allow in a way that is not possible, and puts that on record.
func (g *Gateway) deny(s Session, q policy.Question, rule, reason string) error {
	d := policy.Decision{Verdict: policy.Denied, Rule: rule, Reason: reason}
	r := s.record(audit.DecisionDenied)
	r.TransferFields = decisionFields(q.Op, q.Path, d)
	r.Bytes = &q.Size
	if err := g.note(r); err != nil {
		return err
	}
	return &DeniedError{Decision: d}
}

// decisionFields are the fields of a record about a decision.
func decisionFields(op policy.Operation, path string, d policy.Decision) *audit.TransferFields {
	return &audit.TransferFields{
		Op: string(op), Path: path, To: d.Deliver.Path, Rule: d.Rule, Reason: d.Reason, Policy: d.Policy,
		Conduit: d.Deliver.Conduit, Acknowledge: string(d.Deliver.Acknowledge),
	}
}

// windowOpen returns an error when the window of the rule that allowed a transfer has closed and the rule wants it broken off then.
func (g *Gateway) windowOpen(p *policy.Policy, d policy.Decision) error {
	if !p.CutOff(d.Rule, g.now()) {
		return nil
	}
	return fmt.Errorf("the window of rule %q has closed: %w", d.Rule, fs.ErrPermission)
}
