// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/policy"
)

// large is a policy of n rules over n devices, of every kind of condition, the last rule the one that fits.
func large(t testing.TB, n int) *policy.Policy {
	t.Helper()
	var rules []policy.Rule
	var devices []policy.Device
	when, diags := compile(t, `device.labels.vendor == "SEL" && file.size < mib(64)`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	night := window(t, "Europe/Berlin", nil, "22:00-04:00")
	for i := range n {
		name := fmt.Sprintf("device-%d", i)
		devices = append(devices, policy.Device{Name: name, Groups: []string{fmt.Sprintf("group-%d", i%10)}, Labels: map[string]string{"vendor": "SEL"}})
		r := policy.Rule{Name: fmt.Sprintf("rule-%d", i), Reason: "because", Ops: []policy.Operation{policy.Upload, policy.List}, Deny: i%7 == 0,
			Paths: globs(t, fmt.Sprintf("/d%d/**", i), fmt.Sprintf("/e%d/*.cfg", i)), Deliver: policy.Delivery{Conduit: "c", Acknowledge: policy.Delivered}}
		switch i % 5 {
		case 0:
			r.Devices = globs(t, name)
		case 1:
			r.Groups = globs(t, fmt.Sprintf("group-%d", i%10))
		case 2:
			r.From, r.MaxSize = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, 1<<20
		case 3:
			r.Window, r.ExceptPaths = night, globs(t, "/**/private/**")
		case 4:
			r.When = when
		}
		rules = append(rules, r)
	}
	p, err := policy.New(rules, devices...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func randomQuestion(r *rand.Rand, n int) policy.Question {
	q := policy.Question{Device: fmt.Sprintf("device-%d", r.IntN(n+1)), Zone: "z", Peer: netip.AddrFrom4([4]byte{byte(9 + r.IntN(3)), 0, 0, 1}), Op: policy.Upload,
		Path: fmt.Sprintf("/%c%d/f%d.cfg", 'd'+rune(r.IntN(2)), r.IntN(n), r.IntN(3)), Size: policy.SizeUnknown, Declared: policy.SizeUnknown,
		Time: time.Unix(1_700_000_000+r.Int64N(1e7), 0)}
	if r.IntN(2) == 0 {
		q.Size = r.Int64N(1 << 28)
	}
	return q
}

// A decision depends on nothing but the question and the policy: the same question gets the same answer whatever was asked before,
// from whatever goroutine, in whatever time zone the instant is written, and of another policy made of the same rules.
func TestDecisionDependsOnQuestionAndPolicyOnly(t *testing.T) {
	const n, questions = 60, 2000
	first, second := large(t, n).WithDigest("same"), large(t, n).WithDigest("same")
	r := rand.New(rand.NewPCG(1, 2))
	var asked []policy.Question
	var want []policy.Decision
	for range questions {
		q := randomQuestion(r, n)
		asked, want = append(asked, q), append(want, first.Decide(q))
		if d := want[len(want)-1]; d.Policy != "same" || d.Policy != first.Digest() {
			t.Fatalf("%+v does not name its policy", d)
		}
	}
	elsewhere := time.FixedZone("elsewhere", 5*3600)
	var running sync.WaitGroup
	for seed := range uint64(4) {
		running.Go(func() {
			for _, i := range rand.New(rand.NewPCG(seed, 3)).Perm(questions) {
				q := asked[i]
				if seed%2 == 1 {
					q.Time = q.Time.In(elsewhere)
				}
				got, steps := second.Explain(q)
				if got != want[i] || first.Decide(q) != want[i] {
					t.Errorf("%+v: %+v, then %+v", q, want[i], got)
					return
				}
				if len(steps) != n {
					t.Errorf("%d steps of %d rules", len(steps), n)
				}
			}
		})
	}
	running.Wait()
}

// The budget is 20 microseconds at the median; the benchmarks are kept to see it, and assert nothing. The second is the worst case:
// rules whose paths say nothing of how a path begins, so that all that are about a device are gone through.
func BenchmarkDecide(b *testing.B)         { benchmark(b, large(b, 1000)) }
func BenchmarkDecideAnywhere(b *testing.B) { benchmark(b, anywhere(b, 1000)) }

// anywhere is large with a wildcard in front of all paths.
func anywhere(t testing.TB, n int) *policy.Policy {
	t.Helper()
	p := large(t, n)
	rules := p.Rules()
	for i := range rules {
		for j, g := range rules[i].Paths {
			rules[i].Paths[j] = globs(t, "/**"+g.String())[0]
		}
	}
	p, err := policy.New(rules, p.Devices()...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func benchmark(b *testing.B, p *policy.Policy) {
	n, r := len(p.Rules()), rand.New(rand.NewPCG(1, 2))
	questions := make([]policy.Question, 4096)
	for i := range questions {
		questions[i] = randomQuestion(r, n)
	}
	b.ReportAllocs()
	var took []time.Duration
	for b.Loop() {
		q := questions[len(took)%len(questions)]
		began := time.Now()
		p.Decide(q)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "median-ns")
}

// Decide does not look at every rule, Explain does: what Decide leaves out must not match.
func TestNoRuleThatMatchesIsLeftOut(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	pattern := func() string {
		return pick("", "/a", "/b", "/**", "/*", "/a*", "/[ab]") + pick("", "/**", "/*", "/a", "/b/*", "/*.cfg", "/**/x", `/\a`)
	}
	for range 300 {
		var rules []policy.Rule
		for i := range 8 {
			rule := policy.Rule{Name: fmt.Sprint(i), Reason: "because", Ops: []policy.Operation{policy.Upload}, Deliver: policy.Delivery{Conduit: "c"}}
			for range r.IntN(3) {
				p := pattern()
				if p == "" {
					p = "**"
				}
				g := globs(t, p)
				if r.IntN(4) == 0 {
					g[0] = g[0].IgnoringCase()
				}
				rule.Paths = append(rule.Paths, g...)
			}
			if r.IntN(3) == 0 {
				rule.Devices = globs(t, pick("known", "other", "*"))
			}
			rules = append(rules, rule)
		}
		p, err := policy.New(rules, policy.Device{Name: "known"}, policy.Device{Name: "other"})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			q := policy.Question{Device: pick("known", "other", "stranger"), Op: policy.Upload, Size: 1,
				Path: pick("/a", "/b", "/A", "/", "/c", "/ab", "a") + pick("", "/a", "/x", "/b/x", "/f.cfg", "/c/x")}
			d, steps := p.Explain(q)
			i := slices.IndexFunc(steps, func(s policy.Step) bool { return s.Outcome != "not matched" })
			want := ""
			if i >= 0 {
				want = steps[i].Rule
			}
			if d.Rule != want {
				t.Fatalf("%+v: Decide says %q, the rules %q: %+v", q, d.Rule, want, rules)
			}
		}
	}
}

// No text makes the compiler or a condition panic, and what it accepts is true, false or waits for the size.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{`file.size > 1`, `regex("(", file.name)`, `split("/", file.path)[7] == "x"`, `1/0 == 1`, `cidr(peer.address, "10.0.0.0/8")`,
		`between(time.clock, "22:00-04:00") && !transfer.ascii`, `"${file.name}" == "x"`, `device.labels[file.name] == "x"`, `"%{if true}a%{endif}" == "a"`, `weekday("x") == "y"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 400 {
			return // the configuration bounds depth
		}
		expr, diags := hclsyntax.ParseExpression([]byte(text), "fuzz", hcl.InitialPos)
		if diags.HasErrors() {
			return
		}
		c, diags := policy.NewLanguage([]string{"vendor"}).Compile(expr, text)
		if diags.HasErrors() {
			return
		}
		p, err := policy.New([]policy.Rule{{Name: "r", Reason: "x", Ops: policy.Operations(), When: c, Deliver: policy.Delivery{Conduit: "c"}}})
		if err != nil {
			t.Fatal(err)
		}
		q := conditionQuestion()
		p.Explain(q)
		q.Size = 5
		if d, _ := p.Explain(q); d.Verdict == policy.Pending {
			t.Errorf("%q is pending although all is known", text)
		}
	})
}

// No text makes a template panic, and what it yields is the path of a file below the root, or a denial.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{`"/${device.name}/${file.name}"`, `file.path`, `"${file.dir}/../${file.name}"`, `split("/", file.path)[3]`, `"/${comname(time.stamp, "a", file.name, "c")}"`,
		`file.size > 1 ? "a" : "b"`, `"%{if transfer.tls}${file.name}%{endif}/"`} {
		f.Add(text, "/events/a.cfg")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 400 {
			return // the configuration bounds depth
		}
		expr, diags := hclsyntax.ParseExpression([]byte(text), "fuzz", hcl.InitialPos)
		if diags.HasErrors() {
			return
		}
		template, diags := policy.NewLanguage([]string{"vendor"}).CompileTemplate(expr, text)
		if diags.HasErrors() {
			return
		}
		p, err := policy.New([]policy.Rule{{Name: "r", Reason: "x", Ops: policy.Operations(), PathTemplate: template, Deliver: policy.Delivery{Conduit: "c"}}})
		if err != nil {
			t.Fatal(err)
		}
		q := conditionQuestion()
		q.Path = path.Clean("/" + name) // as the gateway asks
		d := p.Decide(q)
		if to := d.Deliver.Path; d.Verdict != policy.Denied && (to == "/" || !path.IsAbs(to) || path.Clean(to) != to) {
			t.Errorf("%q of %q is published at %q", text, q.Path, to)
		}
	})
}
