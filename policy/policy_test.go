// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

func globs(t testing.TB, patterns ...string) []policy.Glob {
	t.Helper()
	var gs []policy.Glob
	for _, p := range patterns {
		g, err := policy.CompileGlob(p)
		if err != nil {
			t.Fatal(err)
		}
		gs = append(gs, g)
	}
	return gs
}

// substation is the policy that the tests ask: the names say what each rule is there for.
func substation(t testing.TB) *policy.Policy {
	t.Helper()
	cc := policy.Delivery{Conduit: "control-centre", Acknowledge: policy.Delivered}
	p, err := policy.New([]policy.Rule{
		{Name: "no-executables", Reason: "nothing that runs leaves a relay", Deny: true,
			Ops: []policy.Operation{policy.Upload}, Paths: globs(t, "/**/*.exe", "/*.exe")},
		{Name: "small-events", Reason: "PRC-002", Devices: globs(t, "relay-*"), Ops: []policy.Operation{policy.Upload, policy.List},
			Paths: globs(t, "/events/**"), MaxSize: 1000, Deliver: cc},
		{Name: "no-medium-events", Reason: "the link is thin", Deny: true, Devices: globs(t, "relay-*"),
			Ops: []policy.Operation{policy.Upload}, MaxSize: 5000},
		{Name: "archive", Reason: "bulk records by night", Devices: globs(t, "relay-*"), Ops: []policy.Operation{policy.Upload},
			Paths: globs(t, "/events/**"), MinSize: 5001, MaxSize: 9000, Deliver: cc},
		{Name: "firmware", Reason: "maintenance", Zones: globs(t, "bay-7"), Ops: []policy.Operation{policy.Download},
			From: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}, Paths: globs(t, "/fw/*.bin"), Deliver: cc},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecide(t *testing.T) {
	base := policy.Question{Device: "relay-12", Zone: "bay-7", Peer: netip.MustParseAddr("10.7.0.12"), Op: policy.Upload,
		Path: "/events/a.cfg", Size: policy.SizeUnknown}
	with := func(f func(*policy.Question)) policy.Question { q := base; f(&q); return q }
	tests := []struct {
		name    string
		q       policy.Question
		verdict policy.Verdict
		rule    string
		maxSize int64
	}{
		{"size not known yet", base, policy.Pending, "small-events", 9000},
		{"within the first bound", with(func(q *policy.Question) { q.Size = 1000 }), policy.Allowed, "small-events", 1000},
		{"denied by a bound of its own", with(func(q *policy.Question) { q.Size = 1001 }), policy.Denied, "no-medium-events", 0},
		{"within the last bound", with(func(q *policy.Question) { q.Size = 9000 }), policy.Allowed, "archive", 9000},
		{"above all bounds", with(func(q *policy.Question) { q.Size = 9001 }), policy.Denied, "", 0},
		{"a denial in front wins", with(func(q *policy.Question) { q.Path = "/events/a.exe" }), policy.Denied, "no-executables", 0},
		{"only a denial is undecided", with(func(q *policy.Question) { q.Path = "/other/a" }), policy.Denied, "", 0},
		{"an unknown device", with(func(q *policy.Question) { q.Device = "meter-1" }), policy.Denied, "", 0},
		{"the directory itself", with(func(q *policy.Question) { q.Op, q.Path = policy.List, "/events" }), policy.Allowed, "small-events", 0},
		{"another operation", with(func(q *policy.Question) { q.Op = policy.Delete }), policy.Denied, "", 0},
		{"address and zone fit", with(func(q *policy.Question) { q.Op, q.Path = policy.Download, "/fw/v2.bin" }), policy.Allowed, "firmware", 0},
		{"an IPv4-mapped address is the IPv4 address", with(func(q *policy.Question) {
			q.Op, q.Path, q.Peer = policy.Download, "/fw/v2.bin", netip.MustParseAddr("::ffff:10.7.0.9")
		}), policy.Allowed, "firmware", 0},
		{"another address", with(func(q *policy.Question) {
			q.Op, q.Path, q.Peer = policy.Download, "/fw/v2.bin", netip.MustParseAddr("10.8.0.12")
		}), policy.Denied, "", 0},
		{"another zone", with(func(q *policy.Question) { q.Op, q.Path, q.Zone = policy.Download, "/fw/v2.bin", "bay-8" }), policy.Denied, "", 0},
		{"a star stays within its segment", with(func(q *policy.Question) { q.Op, q.Path = policy.Download, "/fw/old/v2.bin" }), policy.Denied, "", 0},
	}
	p := substation(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := p.Decide(tt.q)
			if d.Verdict != tt.verdict || d.Rule != tt.rule || d.MaxSize != tt.maxSize {
				t.Errorf("got %s by %q up to %d, want %s by %q up to %d", d.Verdict, d.Rule, d.MaxSize, tt.verdict, tt.rule, tt.maxSize)
			}
			if d.Reason == "" {
				t.Error("a decision without a reason")
			}
			if d.Rule == "" && d.Reason != policy.NoRule {
				t.Errorf("the default denial says %q", d.Reason)
			}
		})
	}
}

// A pending answer must never promise more than the answer that follows: whatever the size turns out to be, an Allowed one was
// Pending or Allowed before, and within the bound that was announced.
func TestPendingKeepsItsPromise(t *testing.T) {
	p := substation(t)
	for _, path := range []string{"/events/a", "/events/a.exe", "/other", "/fw/v2.bin"} {
		for _, op := range policy.Operations() {
			q := policy.Question{Device: "relay-1", Zone: "bay-7", Peer: netip.MustParseAddr("10.7.0.1"), Op: op, Path: path, Size: policy.SizeUnknown}
			before := p.Decide(q)
			for q.Size = 0; q.Size < 10_000; q.Size += 7 {
				after := p.Decide(q)
				if after.Verdict == policy.Pending {
					t.Fatalf("%+v: pending although the size is known", q)
				}
				if before.Verdict != policy.Pending && after != before && before.Rule != "" {
					t.Fatalf("%+v: %v became %v", q, before, after)
				}
				if after.Verdict == policy.Allowed && (before.Verdict == policy.Denied || before.MaxSize > 0 && q.Size > before.MaxSize) {
					t.Fatalf("%+v: allowed although it was %v before", q, before)
				}
			}
		}
	}
}

func TestZeroPolicyDenies(t *testing.T) {
	if d := new(policy.Policy).Decide(policy.Question{}); d.Verdict != policy.Denied || d.Reason != policy.NoRule {
		t.Errorf("got %+v", d)
	}
}

func TestNewRefuses(t *testing.T) {
	ok := policy.Rule{Name: "r", Reason: "because", Ops: []policy.Operation{policy.List}, Deliver: policy.Delivery{Conduit: "c"}}
	with := func(f func(*policy.Rule)) []policy.Rule { r := ok; f(&r); return []policy.Rule{r} }
	for want, rules := range map[string][]policy.Rule{
		"no name":      with(func(r *policy.Rule) { r.Name = "" }),
		"no reason":    with(func(r *policy.Rule) { r.Reason = "" }),
		"no operation": with(func(r *policy.Rule) { r.Ops = nil }),
		"no conduit":   with(func(r *policy.Rule) { r.Deliver.Conduit = "" }),
		"above max":    with(func(r *policy.Rule) { r.MinSize, r.MaxSize = 2, 1 }),
		"stands twice": {ok, ok},
	} {
		if _, err := policy.New(rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if _, err := policy.New([]policy.Rule{ok}); err != nil {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	p := substation(t)
	q := policy.Question{Device: "meter-1", Zone: "bay-8", Peer: netip.MustParseAddr("10.9.0.1"), Op: policy.Upload, Path: "/x", Size: 7000}
	d, steps := p.Explain(q)
	if d != p.Decide(q) {
		t.Errorf("Explain says %v, Decide %v", d, p.Decide(q))
	}
	want := []string{
		`path "/x" is not among "/**/*.exe", "/*.exe"`, `device "meter-1" is not among "relay-*"`, `device "meter-1" is not among "relay-*"`,
		`device "meter-1" is not among "relay-*"`, `it allows download, not upload`,
	}
	if len(steps) != len(want) {
		t.Fatalf("%d steps, want %d: %v", len(steps), len(want), steps)
	}
	for i, s := range steps {
		if s.Outcome != "not matched" || s.Why != want[i] {
			t.Errorf("step %d: %+v, want %q", i, s, want[i])
		}
	}
	q.Device, q.Path = "relay-1", "/events/a"
	_, steps = p.Explain(q)
	if s := steps[3]; s.Rule != "archive" || s.Outcome != "matched" {
		t.Errorf("deciding step %+v", s)
	}
	if last := steps[len(steps)-1]; last.Rule != "firmware" || last.Outcome != "not reached" {
		t.Errorf("last step %+v", last)
	}
	if s := steps[1]; s.Why != "size 7000 is not at most 1000 bytes" {
		t.Errorf("size step %+v", s)
	}
	q.Size = policy.SizeUnknown
	_, steps = p.Explain(q)
	if s := steps[1]; s.Outcome != "pending" || !strings.Contains(s.Why, "at most 1000 bytes") {
		t.Errorf("pending step %+v", s)
	}
}

func TestLeadsFor(t *testing.T) {
	p := substation(t)
	peer := netip.MustParseAddr("192.0.2.1")
	if l := p.LeadsFor("relay-1", "bay-9", peer); !slices.Equal(l, []policy.Lead{{Conduit: "control-centre"}}) {
		t.Errorf("got %v", l)
	}
	if l := p.LeadsFor("meter-1", "bay-9", peer); len(l) > 0 {
		t.Errorf("a device without rules got %v", l)
	}
	p, err := policy.New([]policy.Rule{
		{Name: "a", Reason: "r", Ops: []policy.Operation{policy.List}, Deliver: policy.Delivery{Conduit: "x"}},
		{Name: "b", Reason: "r", Ops: []policy.Operation{policy.Upload}, Deliver: policy.Delivery{Conduit: "x", Acknowledge: policy.Spooled}},
		{Name: "c", Reason: "r", Ops: []policy.Operation{policy.Upload}, Deliver: policy.Delivery{Conduit: "y"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if l := p.LeadsFor("d", "z", peer); !slices.Equal(l, []policy.Lead{{Conduit: "x", Spooled: true}, {Conduit: "y"}}) {
		t.Errorf("got %v", l)
	}
}

// What is delivered later is delivered while its rule's window is open; a rule that is gone holds nothing up.
func TestHolds(t *testing.T) {
	p, err := policy.New([]policy.Rule{
		{Name: "night", Reason: "r", Ops: []policy.Operation{policy.Upload}, Deliver: policy.Delivery{Conduit: "x"},
			Window: &policy.Window{Between: []policy.Span{{From: 22 * 60, To: 4 * 60}}, Location: time.UTC}},
		{Name: "always", Reason: "r", Ops: []policy.Operation{policy.Upload}, Deliver: policy.Delivery{Conduit: "x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		rule string
		at   time.Time
		want bool
	}{
		{"night", noon, false}, {"night", noon.Add(11 * time.Hour), true},
		{"always", noon, true}, {"gone", noon, true},
	} {
		if got := p.Holds(c.rule, c.at); got != c.want {
			t.Errorf("%s at %s: %v", c.rule, c.at.Format("15:04"), got)
		}
	}
}
