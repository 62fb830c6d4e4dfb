// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/policy"
)

// typed is a policy that decides by what is in files.
func typed(t testing.TB) *policy.Policy {
	t.Helper()
	c := policy.Delivery{Conduit: "c"}
	p, err := policy.New([]policy.Rule{
		{Name: "no-programs", Reason: "test", Deny: true, Ops: []policy.Operation{policy.Upload, policy.List}, Types: []string{"elf", "pe"}, Paths: globs(t, "/a/**", "/d/**")},
		{Name: "records", Reason: "test", Ops: []policy.Operation{policy.Upload, policy.Append, policy.List}, Types: []string{"comtrade"}, MaxSize: 100, Deliver: c},
		{Name: "texts", Reason: "test", Ops: []policy.Operation{policy.Upload}, Types: []string{"text"}, Deliver: c},
		{Name: "others", Reason: "test", Ops: []policy.Operation{policy.Mkdir}, Deliver: c},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is in a file is not known when it begins to come, and decides when it is.
func TestTypesDecideWhenTheyAreKnown(t *testing.T) {
	p := typed(t)
	for _, tt := range []struct {
		op      policy.Operation
		path    string
		size    int64
		kind    string
		verdict policy.Verdict
		rule    string
		awaits  policy.Unknown
		why     string // of the first rule
	}{
		{policy.Upload, "/b", policy.SizeUnknown, "", policy.Pending, "records", policy.UnknownSize | policy.UnknownType, `path "/b" is not`},
		{policy.Upload, "/b", 50, "", policy.Pending, "records", policy.UnknownType, `path "/b" is not`},
		{policy.Upload, "/b", 500, "", policy.Pending, "texts", policy.UnknownType, `path "/b" is not`},
		{policy.Upload, "/b", policy.SizeUnknown, "comtrade", policy.Pending, "records", policy.UnknownSize, `path "/b" is not`},
		{policy.Upload, "/b", 50, "comtrade", policy.Allowed, "records", 0, `path "/b" is not`},
		{policy.Upload, "/b", 500, "comtrade", policy.Denied, "", 0, `path "/b" is not`},
		{policy.Upload, "/b", 500, "text", policy.Allowed, "texts", 0, `path "/b" is not`},
		{policy.Append, "/b", 50, "text", policy.Denied, "", 0, "it denies upload, list, not append"},
		{policy.Upload, "/a/b", 50, "", policy.Pending, "records", policy.UnknownType, "it depends on what is in the file: elf, pe"},
		{policy.Upload, "/a/b", 50, "elf", policy.Denied, "no-programs", 0, "every condition holds"},
		{policy.Upload, "/a/b", 50, "text", policy.Allowed, "texts", 0, "the file is text, not elf, pe"},
		// No file is brought: a permission that hangs on its type does not hold, a denial does.
		{policy.List, "/b", policy.SizeUnknown, "", policy.Denied, "", 0, `path "/b" is not`},
		{policy.List, "/a/b", policy.SizeUnknown, "", policy.Denied, "no-programs", 0, "every condition holds"},
		{policy.List, "/b", policy.SizeUnknown, "comtrade", policy.Denied, "", 0, `path "/b" is not`},
		{policy.Download, "/b", 50, "comtrade", policy.Denied, "", 0, "it denies upload, list, not download"},
		{policy.Mkdir, "/b", policy.SizeUnknown, "", policy.Allowed, "others", 0, "it denies upload, list, not mkdir"},
	} {
		q := conditionQuestion()
		q.Op, q.Path, q.Size, q.Type = tt.op, tt.path, tt.size, tt.kind
		d, steps := p.Explain(q)
		if d.Verdict != tt.verdict || d.Rule != tt.rule || d.Awaits != tt.awaits {
			t.Errorf("%+v: %+v", tt, d)
		}
		if !strings.HasPrefix(steps[0].Why, tt.why) {
			t.Errorf("%+v: %+v", tt, steps[0])
		}
	}
}

func TestTypesOfDownloadsAreRefused(t *testing.T) {
	_, err := policy.New([]policy.Rule{{Name: "r", Reason: "x", Deny: true, Ops: []policy.Operation{policy.Upload, policy.Download}, Types: []string{"elf"}}})
	if err == nil || !strings.Contains(err.Error(), "downloads") {
		t.Errorf("got %v", err)
	}
}

func TestContentRefuses(t *testing.T) {
	damaged := errors.New("it is damaged")
	ratio := policy.Content{MaxExpansion: 10, MaxExpanded: 1000}
	for _, tt := range []struct {
		demand policy.Content
		found  policy.Found
		want   string
	}{
		{policy.Content{Types: []string{"zip"}}, policy.Found{Type: "zip"}, ""},
		{policy.Content{Types: []string{"zip"}}, policy.Found{Type: "elf"}, "its content is elf"},
		{policy.Content{SHA256: map[string]bool{"a": true}}, policy.Found{SHA256: "a"}, ""},
		{policy.Content{SHA256: map[string]bool{"a": true}}, policy.Found{SHA256: "b"}, "b is not on the rule's list"},
		{policy.Content{}, policy.Found{Unjudged: damaged, Expanded: 1 << 40}, ""},
		{ratio, policy.Found{Size: 10, Expanded: 100}, ""},
		{ratio, policy.Found{Size: 10, Expanded: 101}, "expands from 10 to 101 bytes, and the rule lets 10 times its size pass"},
		{ratio, policy.Found{Size: 0, Expanded: 0}, ""},
		{ratio, policy.Found{Size: 1 << 62, Expanded: 1000}, ""},
		{ratio, policy.Found{Size: 500, Expanded: 1001}, "more than the 1000 bytes"},
		{ratio, policy.Found{Size: 500, Unjudged: damaged}, "cannot be judged: it is damaged"},
		{policy.Content{MaxExpanded: 1000}, policy.Found{Size: 1, Expanded: 1000}, ""},
	} {
		got := tt.demand.Refuses(tt.found)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%+v %+v: %q", tt.demand, tt.found, got)
		}
	}
	if (*policy.Content)(nil).Refuses(policy.Found{Unjudged: damaged}) != "" {
		t.Error("no demand refuses")
	}
}

// How far a file expands is measured where a rule that may decide asks for it, up to what the most generous of them lets pass.
func TestMeasureIsWhatMayDecide(t *testing.T) {
	rule := func(name string, max, expanded int64) policy.Rule {
		r := policy.Rule{Name: name, Reason: "x", Ops: []policy.Operation{policy.Upload, policy.Download}, MaxSize: max, Deliver: policy.Delivery{Conduit: "c"}}
		if expanded > 0 {
			r.Content = &policy.Content{MaxExpanded: expanded}
		}
		return r
	}
	p, err := policy.New([]policy.Rule{rule("small", 10, 100), rule("medium", 100, 1000), rule("large", 0, 0), rule("never", 0, 5000)})
	if err != nil {
		t.Fatal(err)
	}
	q := conditionQuestion()
	for size, want := range map[int64]int64{policy.SizeUnknown: 1000, 5: 100, 50: 1000, 500: 0} {
		if q.Size = size; p.Decide(q).Measure != want {
			t.Errorf("size %d: %+v, want %d", size, p.Decide(q), want)
		}
	}
	if q.Op = policy.Download; p.Decide(q).Measure != 0 {
		t.Errorf("%+v", p.Decide(q))
	}
}

// What an answer leaves open it must not take back: whatever size and type turn out to be, what is allowed was allowed or pending
// before, within the bounds that were announced, and what was decided stays so.
func TestPendingKeepsItsPromiseWhateverTurnsOut(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	when, diags := compile(t, `file.size > 40 || transfer.tls`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	kinds := []string{"elf", "text", "comtrade"}
	for range 400 {
		var rules []policy.Rule
		for i := range 6 {
			rule := policy.Rule{Name: fmt.Sprint(i), Reason: "because", Ops: []policy.Operation{policy.Upload}, Deny: r.IntN(3) == 0, Deliver: policy.Delivery{Conduit: "c"}}
			if r.IntN(2) == 0 {
				rule.MaxSize = 30 + r.Int64N(60)
			}
			if r.IntN(3) == 0 {
				rule.MinSize = r.Int64N(30)
			}
			if r.IntN(2) == 0 {
				rule.Types = kinds[r.IntN(3):]
			}
			if r.IntN(4) == 0 {
				rule.When = when
			}
			if r.IntN(2) == 0 {
				rule.Content = &policy.Content{MaxExpanded: 1 + r.Int64N(100)}
			}
			rules = append(rules, rule)
		}
		p, err := policy.New(rules)
		if err != nil {
			t.Fatal(err)
		}
		q := conditionQuestion()
		q.TLS = r.IntN(2) == 0
		ask := func(size int64, kind string) policy.Decision {
			q.Size, q.Type = size, kind
			return p.Decide(q)
		}
		for _, kind := range kinds {
			for _, size := range []int64{0, 10, 29, 30, 40, 41, 60, 89, 90, 1000} {
				after := ask(size, kind)
				if after.Verdict == policy.Pending || after.Awaits != 0 {
					t.Fatalf("%+v: pending although all is known: %+v", rules, after)
				}
				for _, before := range []policy.Decision{ask(policy.SizeUnknown, ""), ask(size, ""), ask(policy.SizeUnknown, kind)} {
					if before.Verdict != policy.Pending {
						// A denial may turn out to be that of a rule before.
						if after.Verdict != before.Verdict || after.Verdict == policy.Allowed && after.Rule != before.Rule {
							t.Fatalf("%+v: %+v became %+v", rules, before, after)
						}
						continue
					}
					if before.Awaits == 0 {
						t.Fatalf("%+v: pending for nothing: %+v", rules, before)
					}
					if after.Verdict == policy.Allowed && (before.MaxSize > 0 && size > before.MaxSize || before.Measure < after.Measure) {
						t.Fatalf("%+v: %d bytes of %s are allowed by %+v beyond what %+v announced", rules, size, kind, after, before)
					}
				}
			}
		}
	}
}
