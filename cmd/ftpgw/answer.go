// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// answer is what explain has found out.
type answer struct {
	question policy.Question
	login    string // why the login is refused; empty where it is not
	name     string // why the path is refused, whatever the rules are; empty where it is not
	decision policy.Decision
	steps    []policy.Step
	limits   []boundUsage
	note     string // what is not known about the limits
}

// text is the answer for people.
func (a answer) text() string {
	var out strings.Builder
	d := a.decision
	switch {
	case a.login != "":
		out.WriteString("denied: no login\n")
	case a.name != "":
		out.WriteString("denied: no name for a file\n")
	case d.Verdict == policy.Denied && d.Rule == "":
		out.WriteString("denied: by default\n")
	case d.Verdict == policy.Pending:
		fmt.Fprintf(&out, "allowed by rule %q, if %s\n", d.Rule, turnsOut(d.Awaits))
	default:
		fmt.Fprintf(&out, "%s by rule %q\n", d.Verdict, d.Rule)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("reason", "%s", d.Reason)
	if d.Verdict != policy.Denied {
		line("deliver", "conduit %q, acknowledged when %s%s", d.Deliver.Conduit, d.Deliver.Acknowledge, demands(d.Deliver))
	}
	if d.Content != nil {
		line("content", "%s", d.Content)
	}
	if d.Deliver.Path != "" {
		line("path", "%s below the conduit's root", d.Deliver.Path)
	}
	if d.Verdict == policy.Pending && d.MaxSize > 0 {
		line("size", "denied if the size is above %d bytes", d.MaxSize)
	}
	for _, l := range a.limits {
		line("limit", "%s", l)
	}
	if a.note != "" && len(a.limits) > 0 {
		line("note", "%s", a.note)
	}
	q := a.question
	line("question", "%s %s", q.Op, q.Path)
	line("device", "%s from %s in zone %s", q.Device, q.Peer, q.Zone)
	line("bytes", "%s", a.size())
	if q.Type != "" {
		line("type", "%s", q.Type)
	}
	line("time", "%s", q.Time.Format(time.RFC3339))
	if len(a.steps) > 0 {
		out.WriteString("rules, in order:\n")
	}
	for _, s := range a.steps {
		fmt.Fprintf(&out, "  %-11s %q: %s\n", s.Outcome, s.Rule, s.Why)
	}
	return out.String()
}

// turnsOut says what must turn out right.
func turnsOut(u policy.Unknown) string {
	if u == policy.UnknownSize|policy.UnknownType {
		return u.String() + " turn out right"
	}
	return u.String() + " turns out right"
}

// demands are what a delivery asks for beyond the usual.
func demands(d policy.Delivery) string {
	var out string
	if d.Verify != policy.VerifySize {
		out += fmt.Sprintf(", verified by %s", d.Verify)
	}
	for _, r := range required(d) {
		out += ", " + r + " required"
	}
	return out
}

func required(d policy.Delivery) []string {
	var list []string
	if d.RequireFsync {
		list = append(list, string(policy.RequireFsync))
	}
	if d.RequireAtomic {
		list = append(list, string(policy.RequireAtomic))
	}
	return list
}

func (a answer) size() string {
	if a.question.Size == policy.SizeUnknown {
		return "not known"
	}
	return fmt.Sprint(a.question.Size)
}

// document is the answer for programs. Its field names are a contract.
func (a answer) document() any {
	type step struct {
		Rule    string `json:"rule"`
		Outcome string `json:"outcome"`
		Why     string `json:"why"`
	}
	type question struct {
		Device string    `json:"device"`
		Zone   string    `json:"zone"`
		From   string    `json:"from"`
		Op     string    `json:"op"`
		Path   string    `json:"path"`
		Size   *int64    `json:"size,omitempty"` // bytes; absent where it was not given
		Type   string    `json:"type,omitempty"` // absent where it was not given
		At     time.Time `json:"at"`
	}
	d, q := a.decision, a.question
	doc := struct {
		Verdict     string          `json:"verdict"` // "allowed", "pending" or "denied"
		Login       bool            `json:"login"`   // whether the device can log in from there
		Rule        string          `json:"rule,omitempty"`
		Reason      string          `json:"reason"`
		Conduit     string          `json:"conduit,omitempty"`
		Acknowledge string          `json:"acknowledge,omitempty"`
		To          string          `json:"to,omitempty"` // where an upload is published, below the conduit's root, if the rule says so
		Verify      string          `json:"verify,omitempty"`
		Require     []string        `json:"require,omitempty"`
		MaxSize     int64           `json:"max_size,omitempty"` // bytes; absent where there is no bound
		Content     string          `json:"content,omitempty"`  // what the file's content must be, in words
		Awaits      string          `json:"awaits,omitempty"`   // what a pending decision waits for, in words
		Limits      []limitDocument `json:"limits,omitempty"`
		Question    question        `json:"question"`
		Steps       []step          `json:"steps"`
	}{
		Verdict: d.Verdict.String(), Login: a.login == "", Rule: d.Rule, Reason: d.Reason, MaxSize: d.MaxSize, To: d.Deliver.Path, Steps: []step{},
		Question: question{Device: q.Device, Zone: q.Zone, From: q.Peer.String(), Op: string(q.Op), Path: q.Path, Type: q.Type, At: q.Time},
	}
	if d.Verdict != policy.Denied {
		doc.Conduit, doc.Acknowledge = d.Deliver.Conduit, string(d.Deliver.Acknowledge)
		doc.Verify, doc.Require = string(d.Deliver.Verify), required(d.Deliver)
	}
	if d.Content != nil {
		doc.Content = d.Content.String()
	}
	if d.Verdict == policy.Pending {
		doc.Awaits = d.Awaits.String()
	}
	if q.Size != policy.SizeUnknown {
		doc.Question.Size = &q.Size
	}
	for _, l := range a.limits {
		doc.Limits = append(doc.Limits, l.document())
	}
	for _, s := range a.steps {
		doc.Steps = append(doc.Steps, step(s))
	}
	return doc
}
