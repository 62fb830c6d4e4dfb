// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
)

// traced is a world with rules whose denials are recorded with what each rule said.
func traced(t *testing.T, tracing bool, rules ...policy.Rule) (*world, *policy.Policy) {
	t.Helper()
	w := newWorld(t)
	p, err := policy.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway = gateway.New(gateway.Options{Policy: p, Remotes: map[string]gateway.Remote{"far": w.far}, Log: w.log,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, TraceDenials: tracing})
	return w, p
}

// The record of a denial tells what Explain tells, where the configuration wants it, and nothing of rules that were not asked.
func TestDenialIsTraced(t *testing.T) {
	elsewhere, never, behind := all("far"), all("far"), all("far")
	elsewhere.Name, elsewhere.Paths = "elsewhere", paths("/a/**")
	never.Name, never.Deny = "never", true
	behind.Name = "behind"
	for _, tracing := range []bool{true, false} {
		w, _ := traced(t, tracing, elsewhere, never, behind)
		if err := w.upload("/b", strings.NewReader("x")); !errors.As(err, new(*gateway.DeniedError)) {
			t.Fatalf("got %v", err)
		}
		r := w.log.last(t)
		want := []audit.TraceStep{
			{Rule: "elsewhere", Outcome: "not matched", Why: `path "/b" is not among "/a/**"`},
			{Rule: "never", Outcome: "matched", Why: "every condition holds"},
		}
		if !tracing {
			want = nil
		}
		if r.Event != audit.DecisionDenied || !slices.Equal(r.Trace, want) || r.TraceOmitted != 0 {
			t.Errorf("tracing %v: %+v", tracing, r.TransferFields)
		}
	}
}

// A record does not grow with the policy; what is left out is counted, and the rule that denies is always there.
func TestTraceIsBounded(t *testing.T) {
	const n = 1000
	var rules []policy.Rule
	for i := range n {
		r := all("far")
		r.Name, r.Paths = fmt.Sprintf("rule-%d", i), paths(fmt.Sprintf("/%d/%s/**", i, strings.Repeat("é", 300)))
		rules = append(rules, r)
	}
	last := all("far")
	last.Name, last.Deny = "last", true
	w, _ := traced(t, true, append(rules, last)...)
	if err := w.upload("/b", strings.NewReader("x")); !errors.As(err, new(*gateway.DeniedError)) {
		t.Fatalf("got %v", err)
	}
	r := w.log.last(t)
	text, err := json.Marshal(r.Trace)
	if err != nil || len(text) > 6<<10 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if len(r.Trace) < 10 || r.Trace[0].Rule != "rule-0" || r.Trace[len(r.Trace)-1].Rule != "last" || len(r.Trace)+r.TraceOmitted != n+1 {
		t.Errorf("%d steps and %d left out: %+v", len(r.Trace), r.TraceOmitted, r.Trace)
	}
}
