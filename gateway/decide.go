// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// question is what the policy is asked about one step of s.
func (g *Gateway) question(s Session, op policy.Operation, path string, size int64) policy.Question {
	return policy.Question{Device: s.Device, Zone: s.Zone, Peer: s.Peer.Addr(), Op: op, Path: path, Size: size, Time: g.now()}
}

// decide asks p. A denial is put on record and returned as a DeniedError; an allowed or pending decision is for the caller to put
// on record together with what comes of it.
func (g *Gateway) decide(p *policy.Policy, s Session, op policy.Operation, path string, size int64) (policy.Decision, error) {
	if err := CheckPath(path); err != nil {
		return policy.Decision{}, err
	}
	d := p.Decide(g.question(s, op, path, size))
	if d.Verdict != policy.Denied {
		return d, nil
	}
	r := s.record(audit.DecisionDenied)
	r.TransferFields = decisionFields(op, path, d)
	if size != policy.SizeUnknown {
		r.Bytes = &size
	}
	if err := g.note(r); err != nil {
		return d, err
	}
	return d, &DeniedError{Decision: d}
}

// decisionFields are the fields of a record about a decision.
func decisionFields(op policy.Operation, path string, d policy.Decision) *audit.TransferFields {
	return &audit.TransferFields{
		Op: string(op), Path: path, Rule: d.Rule, Reason: d.Reason,
		Conduit: d.Deliver.Conduit, Acknowledge: string(d.Deliver.Acknowledge),
	}
}
