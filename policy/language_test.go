// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/policy"
)

func compile(t testing.TB, text string) (*policy.Condition, hcl.Diagnostics) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "condition", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return policy.NewLanguage([]string{"bay", "vendor"}).Compile(expr, text)
}

// asking makes a policy of one rule with a condition, about a device with a group and a label.
func asking(t testing.TB, text string, deny bool) *policy.Policy {
	t.Helper()
	c, diags := compile(t, text)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", text, diags)
	}
	p, err := policy.New([]policy.Rule{{Name: "asking", Reason: "test", Deny: deny, Ops: policy.Operations(), When: c,
		Deliver: policy.Delivery{Conduit: "c", Acknowledge: policy.Delivered}}},
		policy.Device{Name: "relay-12", Groups: []string{"relays", "bay-7"}, Labels: map[string]string{"vendor": "SEL"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func conditionQuestion() policy.Question {
	return policy.Question{Device: "relay-12", Zone: "bay-7", Peer: netip.MustParseAddr("10.7.0.12"), Op: policy.Upload, Path: "/events/2026/Fault-1.CFG",
		Size: policy.SizeUnknown, Declared: policy.SizeUnknown, Time: time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC), ASCII: true,
		TLS: true, Certificate: []string{"relay-12.example"}}
}

func TestConditions(t *testing.T) {
	for text, want := range map[string]policy.Verdict{
		`device.name == "relay-12"`:                                            policy.Allowed,
		`device.labels.vendor == "SEL" && device.labels.bay == ""`:             policy.Allowed,
		`device.labels["vendor"] != "SEL"`:                                     policy.Denied,
		`contains(device.groups, "relays") && length(device.groups) == 2`:      policy.Allowed,
		`contains(device.groups, "meters")`:                                    policy.Denied,
		`zone.name == "bay-7" ? true : false`:                                  policy.Allowed,
		`cidr(peer.address, "10.8.0.0/16", "10.7.0.0/24")`:                     policy.Allowed,
		`cidr(peer.address, "10.8.0.0/16", "2001:db8::/32")`:                   policy.Denied,
		`file.dir == "/events/2026" && file.ext == "cfg"`:                      policy.Allowed,
		`glob("/events/**", file.path) && glob("Fault-*", file.name)`:          policy.Allowed,
		`regex("^Fault-[0-9]+\\.CFG$", file.name)`:                             policy.Allowed,
		`regex("^fault", file.name)`:                                           policy.Denied,
		`startswith(lower(file.name), "fault") && endswith(file.name, ".CFG")`: policy.Allowed,
		`split("/", file.path)[2] == "2026"`:                                   policy.Allowed,
		`transfer.op == "upload" && transfer.ascii`:                            policy.Allowed,
		`transfer.tls && contains(peer.certificate, "relay-12.example")`:       policy.Allowed,
		`file.declared_size == -1`:                                             policy.Allowed,
		`time.weekday == "sat" && time.clock == "23:30:00"`:                    policy.Allowed,
		`weekday(time.date) == "sat" && time.year == 2026`:                     policy.Allowed,
		`between(time.clock, "22:00-04:00")`:                                   policy.Allowed,
		`between(time.clock, "08:00-12:00", "13:00-17:00")`:                    policy.Denied,
		`file.size < mib(64)`:                                                  policy.Pending,
		`file.size < mib(64) && false`:                                         policy.Denied,
		`file.size < mib(64) && device.name == "relay-13"`:                     policy.Denied,
		`file.size < mib(64) || device.name == "relay-12"`:                     policy.Allowed,
		`!(file.size < kib(1))`:                                                policy.Pending,
	} {
		t.Run(text, func(t *testing.T) {
			if d := asking(t, text, false).Decide(conditionQuestion()); d.Verdict != want {
				t.Errorf("%v, want %v", d, want)
			}
		})
	}
}

// What is unknown stays so until it is known, and then decides.
func TestConditionWaitsForTheSize(t *testing.T) {
	p := asking(t, "file.size > 10 && file.size < kib(1)", false)
	q := conditionQuestion()
	for size, want := range map[int64]policy.Verdict{policy.SizeUnknown: policy.Pending, 10: policy.Denied, 11: policy.Allowed, 1024: policy.Denied} {
		if q.Size = size; p.Decide(q).Verdict != want {
			t.Errorf("size %d: %v, want %v", size, p.Decide(q), want)
		}
	}
	q.Size, q.Op = policy.SizeUnknown, policy.List
	if d := p.Decide(q); d.Verdict != policy.Denied || d.Rule != "" {
		t.Errorf("a permission that hangs on the size of a file that is not moved: %v", d)
	}
	if d := asking(t, "file.size > 10", true).Decide(q); d.Verdict != policy.Denied || d.Rule != "asking" {
		t.Errorf("a denial that cannot be excluded: %v", d)
	}
}

// A condition that goes wrong denies, in the rule's name, and says why.
func TestConditionThatFailsDenies(t *testing.T) {
	p := asking(t, `split("/", file.path)[7] == "x"`, false)
	d, steps := p.Explain(conditionQuestion())
	if d.Verdict != policy.Denied || d.Rule != "asking" || !strings.Contains(d.Reason, "could not be evaluated") {
		t.Errorf("got %+v", d)
	}
	if len(steps) != 1 || steps[0].Outcome != "failed" {
		t.Errorf("steps %+v", steps)
	}
}

func TestConditionsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`file.sizes > 1`: "sizes", `fil.size > 1`: "Did you mean \"file\"", `device.labels.vendro == "x"`: "vendro", `file.size == "1"`: "a number with a text",
		`file.name < 1`: "A number is needed", `"true" && true`: "True or false is needed", `!file.name`: "True or false is needed", `file.size`: "a number",
		`-file.name == 1`: "A number is needed", `regex("[", file.name)`: "missing closing", `glob("a**", file.name)`: "must stand alone",
		`cidr(peer.address)`: "at least one prefix", `between(time.clock, "9-5")`: "not a span", `file == file`: "an object", `mib("1") > 1`: "mib needs a number",
		`file.name ? true : false`: "True or false is needed", `null == null`: "null", `[for x in device.groups : x] == 1`: "cannot be used",
		`device.groups[*].x == 1`: "cannot be used", `true ? 1 : "a"`: "true or false",
	} {
		if c, diags := compile(t, text); !diags.HasErrors() || !strings.Contains(diags.Error()+diags[0].Detail, want) {
			t.Errorf("%s: %v, %v; want %q", text, c, diags, want)
		}
	}
}

func window(t testing.TB, zone string, days []time.Weekday, spans ...string) *policy.Window {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &policy.Window{Location: place, Weekdays: days}
	for _, text := range spans {
		s, err := policy.ParseSpan(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != text {
			t.Errorf("%q reads as %q", text, s)
		}
		w.Between = append(w.Between, s)
	}
	return w
}

func TestWindow(t *testing.T) {
	night := window(t, "Europe/Berlin", []time.Weekday{time.Friday}, "22:00-04:00", "12:00-12:30")
	bounded := window(t, "UTC", nil)
	bounded.NotBefore, bounded.NotAfter = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		w    *policy.Window
		at   string
		want bool
	}{
		{nil, "2026-03-01T00:00:00Z", true},
		{night, "2026-03-27T20:59:59Z", false}, {night, "2026-03-27T21:00:00Z", true}, // Friday 22:00 in Berlin
		{night, "2026-03-28T02:59:59Z", true}, {night, "2026-03-28T03:00:00Z", false}, // Saturday 03:59 and 04:00
		{night, "2026-03-27T02:00:00Z", false}, // Friday 03:00: the night of Thursday
		{night, "2026-03-27T11:00:00Z", true}, {night, "2026-03-28T11:00:00Z", false},
		{night, "2026-04-03T20:00:00Z", true}, // daylight saving: Friday 22:00
		{bounded, "2026-03-01T05:59:59Z", false}, {bounded, "2026-03-01T06:00:00Z", true}, {bounded, "2026-03-01T18:00:00Z", true}, {bounded, "2026-03-01T18:00:01Z", false},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.w.Open(at); got != tt.want {
			t.Errorf("%s at %s: %v", tt.w, tt.at, got)
		}
	}
	for _, text := range []string{"", "22:00", "8:00-9:00", "24:00-01:00", "10:00-10:00", "10:00-24:01", "a-b"} {
		if s, err := policy.ParseSpan(text); err == nil {
			t.Errorf("%q was taken as %v", text, s)
		}
	}
}

func TestWindowDecidesAndCutsOff(t *testing.T) {
	w := window(t, "UTC", nil, "08:00-09:00")
	w.CutOff = true
	p, err := policy.New([]policy.Rule{{Name: "hour", Reason: "test", Ops: []policy.Operation{policy.Upload}, Window: w, Deliver: policy.Delivery{Conduit: "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	q := conditionQuestion()
	d, steps := p.Explain(q)
	if d.Verdict != policy.Denied || steps[0].Why != "Sat 2026-03-28T23:30:00Z is outside of 08:00-09:00 (UTC)" {
		t.Errorf("%v %v", d, steps)
	}
	q.Time = time.Date(2026, 3, 28, 8, 30, 0, 0, time.UTC)
	if d := p.Decide(q); d.Verdict != policy.Allowed || p.CutOff(d.Rule, q.Time) || !p.CutOff(d.Rule, q.Time.Add(time.Hour)) || p.CutOff("other", q.Time) {
		t.Errorf("%v", d)
	}
}

func TestSubjectsAndNames(t *testing.T) {
	fold := globs(t, "*.cfg")
	fold[0] = fold[0].IgnoringCase()
	p, err := policy.New([]policy.Rule{{Name: "r", Reason: "test", Ops: []policy.Operation{policy.Upload}, Devices: globs(t, "meter-1"), Groups: globs(t, "rel*"),
		Names: fold, ExceptPaths: globs(t, "/private/**"), Deliver: policy.Delivery{Conduit: "c"}}},
		policy.Device{Name: "relay-12", Groups: []string{"relays"}}, policy.Device{Name: "camera-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ device, path, why string }{
		{"relay-12", "/a/B.CFG", "every condition holds"}, {"meter-1", "/b.cfg", "every condition holds"},
		{"camera-1", "/a.cfg", `device "camera-1" is not among "meter-1", groups "rel*"`}, {"stranger", "/a.cfg", `device "stranger" is not among "meter-1", groups "rel*"`},
		{"relay-12", "/private/a.cfg", `path "/private/a.cfg" is excepted by "/private/**"`}, {"relay-12", "/a.dat", `name "a.dat" is not among "*.cfg"`},
	} {
		q := conditionQuestion()
		q.Device, q.Path = tt.device, tt.path
		d, steps := p.Explain(q)
		if steps[0].Why != tt.why || (d.Verdict == policy.Allowed) != (steps[0].Outcome == "matched") {
			t.Errorf("%s %s: %v, %v", tt.device, tt.path, d, steps)
		}
	}
}

func TestProtection(t *testing.T) {
	c := policy.Delivery{Conduit: "c"}
	p, err := policy.New([]policy.Rule{
		{Name: "named", Reason: "test", Ops: []policy.Operation{policy.Upload}, Certificates: globs(t, "relay-*.example"), Deliver: c},
		{Name: "protected", Reason: "test", Ops: []policy.Operation{policy.Upload}, TLS: policy.UnderTLS, Deliver: c},
		{Name: "clear", Reason: "test", Ops: []policy.Operation{policy.Upload}, TLS: policy.InClear, Deny: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	q := conditionQuestion()
	for _, tt := range []struct {
		tls   bool
		names []string
		rule  string
	}{{true, []string{"x", "relay-12.example"}, "named"}, {true, []string{"meter.example"}, "protected"}, {true, nil, "protected"}, {false, nil, "clear"}} {
		q.TLS, q.Certificate = tt.tls, tt.names
		if d, steps := p.Explain(q); d.Rule != tt.rule {
			t.Errorf("%+v: %+v %v", tt, d, steps)
		}
	}
	_, steps := p.Explain(q)
	if steps[0].Why != `no name in the client certificate () is among "relay-*.example"` || steps[1].Why != "the control connection is not under TLS" {
		t.Errorf("steps %v", steps)
	}
}
