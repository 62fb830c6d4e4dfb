// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/policy"
)

func TestFindings(t *testing.T) {
	c := policy.Delivery{Conduit: "c"}
	up, upList := []policy.Operation{policy.Upload}, []policy.Operation{policy.Upload, policy.List}
	ten, seven := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []netip.Prefix{netip.MustParsePrefix("10.7.0.0/16")}
	allow := func(r policy.Rule) policy.Rule { r.Reason, r.Deliver = "because", c; return r }
	deny := func(r policy.Rule) policy.Rule { r.Reason, r.Deny = "because", true; return r }
	when, diags := compile(t, `file.size > 1`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, tt := range []struct {
		name          string
		first, second policy.Rule
		want          string // "", "unreachable" or "overlap"
	}{
		{"below a directory", allow(policy.Rule{Ops: up, Paths: globs(t, "/a/**")}), deny(policy.Rule{Ops: up, Paths: globs(t, "/a/b/*.cfg", "/a")}), "unreachable"},
		{"beside a directory", allow(policy.Rule{Ops: up, Paths: globs(t, "/a/**")}), deny(policy.Rule{Ops: up, Paths: globs(t, "/ab/**")}), ""},
		{"a wildcard beside a directory", allow(policy.Rule{Ops: up, Paths: globs(t, "/a/**")}), deny(policy.Rule{Ops: up, Paths: globs(t, "/a*/x")}), "overlap"},
		{"other endings", allow(policy.Rule{Ops: up, Paths: globs(t, "/**/*.cfg")}), deny(policy.Rule{Ops: up, Paths: globs(t, "/**/*.dat")}), ""},
		{"same effect", allow(policy.Rule{Ops: up, Paths: globs(t, "/**/*.cfg")}), allow(policy.Rule{Ops: up, Paths: globs(t, "/a/*")}), ""},
		{"one more operation", allow(policy.Rule{Ops: up}), deny(policy.Rule{Ops: upList}), "overlap"},
		{"other operations", allow(policy.Rule{Ops: up}), deny(policy.Rule{Ops: []policy.Operation{policy.List}}), ""},
		{"wider addresses", allow(policy.Rule{Ops: up, From: seven}), deny(policy.Rule{Ops: up, From: ten}), "overlap"},
		{"narrower addresses", allow(policy.Rule{Ops: up, From: ten}), deny(policy.Rule{Ops: up, From: seven}), "unreachable"},
		{"smaller files", allow(policy.Rule{Ops: up, MaxSize: 10}), deny(policy.Rule{Ops: up, MaxSize: 9}), "unreachable"},
		{"fewer types", allow(policy.Rule{Ops: up, Types: []string{"elf", "pe"}}), deny(policy.Rule{Ops: up, Types: []string{"pe"}}), "unreachable"},
		{"other types", allow(policy.Rule{Ops: up, Types: []string{"elf", "pe"}}), deny(policy.Rule{Ops: up, Types: []string{"text"}}), ""},
		{"a type in front", deny(policy.Rule{Ops: up, Types: []string{"elf"}}), allow(policy.Rule{Ops: up}), "overlap"},
		{"a type in front of listings", deny(policy.Rule{Ops: upList, Types: []string{"elf"}}), allow(policy.Rule{Ops: []policy.Operation{policy.List}, Types: []string{"text"}}), "overlap"},
		{"other content", allow(policy.Rule{Ops: up, Content: &policy.Content{MaxExpanded: 1}}), allow(policy.Rule{Ops: up, Paths: globs(t, "/a/*")}), "unreachable"},
		{"other content in part", allow(policy.Rule{Ops: up, Paths: globs(t, "/a/*"), Content: &policy.Content{MaxExpanded: 1}}), allow(policy.Rule{Ops: up}), "overlap"},
		{"larger files", allow(policy.Rule{Ops: up, MaxSize: 10}), deny(policy.Rule{Ops: up, MinSize: 11}), ""},
		{"a condition in front", allow(policy.Rule{Ops: up, When: when}), deny(policy.Rule{Ops: up}), "overlap"},
		{"the same condition", allow(policy.Rule{Ops: up, When: when}), deny(policy.Rule{Ops: up, When: when}), "unreachable"},
		{"an exception in front", allow(policy.Rule{Ops: up, ExceptPaths: globs(t, "/x")}), deny(policy.Rule{Ops: up}), "overlap"},
		{"a window in front", allow(policy.Rule{Ops: up, Window: window(t, "UTC", nil, "08:00-09:00")}), deny(policy.Rule{Ops: up}), "overlap"},
		{"all devices of a group", allow(policy.Rule{Ops: up, Groups: globs(t, "relays")}), deny(policy.Rule{Ops: up, Devices: globs(t, "relay-*")}), "unreachable"},
		{"other devices", allow(policy.Rule{Ops: up, Groups: globs(t, "relays")}), deny(policy.Rule{Ops: up, Devices: globs(t, "meter-*")}), ""},
		{"no device", allow(policy.Rule{Ops: up, Devices: globs(t, "meter-1")}), deny(policy.Rule{Ops: up, Devices: globs(t, "camera-*")}), "unreachable"},
	} {
		tt.first.Name, tt.second.Name = "first", "second"
		p, err := policy.New([]policy.Rule{tt.first, tt.second}, policy.Device{Name: "relay-1", Groups: []string{"relays"}},
			policy.Device{Name: "relay-2", Groups: []string{"relays"}}, policy.Device{Name: "meter-1"})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range p.Findings() {
			got = "overlap"
			if f.Unreachable {
				got = "unreachable"
			}
			if f.Rule != "second" {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What is called unreachable never decides, and what decides differently behind another rule is called overlapping: held against
// random policies and every question about their paths.
func TestFindingsAreTrue(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	patterns := []string{"/**", "/a/**", "/a/b", "/a/*", "/*", "/a*/b", "/**/b", "/a/**/b", "/ab/**", "/[a-b]/*", "/**/*.c"}
	paths := []string{"/", "/a", "/a/b", "/a/b/b", "/ab", "/ab/b", "/b", "/x", "/a/x.c", "/x.c", "/b/b", "/a/x/b"}
	for range 400 {
		var rules []policy.Rule
		for i := range 4 {
			rule := policy.Rule{Name: fmt.Sprint(i), Reason: "because", Ops: []policy.Operation{policy.List}, Deny: r.IntN(2) == 0, Deliver: policy.Delivery{Conduit: "c"}}
			for range r.IntN(3) {
				rule.Paths = append(rule.Paths, globs(t, patterns[r.IntN(len(patterns))])...)
			}
			if len(rule.Paths) > 0 && r.IntN(4) == 0 {
				rule.Paths[0] = rule.Paths[0].IgnoringCase()
			}
			rules = append(rules, rule)
		}
		p, err := policy.New(rules, policy.Device{Name: "d"})
		if err != nil {
			t.Fatal(err)
		}
		findings := p.Findings()
		for _, path := range append(paths, "/A/B", "/A/x") {
			q := policy.Question{Device: "d", Op: policy.List, Path: path}
			d, steps := p.Explain(q)
			if d.Rule == "" {
				continue
			}
			if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.Unreachable && f.Rule == d.Rule }) {
				t.Fatalf("rule %s is called unreachable and decides %s: %v", d.Rule, path, rules)
			}
			checkOverlaps(t, rules, findings, q, d, steps)
		}
	}
}

// checkOverlaps asks each later rule alone whether it would have decided otherwise.
func checkOverlaps(t *testing.T, rules []policy.Rule, findings []policy.Finding, q policy.Question, d policy.Decision, steps []policy.Step) {
	t.Helper()
	for i, rule := range rules {
		if steps[i].Outcome != "not reached" {
			continue
		}
		alone, err := policy.New([]policy.Rule{rule})
		if err != nil {
			t.Fatal(err)
		}
		if other := alone.Decide(q); other.Rule == "" || other.Verdict == d.Verdict {
			continue
		}
		if !slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.Rule == rule.Name && (f.Unreachable || f.By == d.Rule) }) {
			t.Fatalf("rule %s would decide %s otherwise than %s, and nothing says so: %v", rule.Name, q.Path, d.Rule, rules)
		}
	}
}
