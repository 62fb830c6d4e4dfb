// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/policy"
)

func TestGlobMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"relay-*", "relay-12", true}, {"relay-*", "relay", false}, {"relay-*", "meter-relay-1", false}, {"relay-?", "relay-12", false},
		{"/events/**", "/events", true}, {"/events/**", "/events/a", true}, {"/events/**", "/events/a/b/c", true},
		{"/events/**", "/event", false}, {"/events/**", "/eventsx", false}, {"/events/*", "/events/a/b", false},
		{"/**", "/", true}, {"/**", "/a/b", true}, {"**", "/a/b", true}, {"/", "/", true}, {"/", "/a", false},
		{"/**/*.cfg", "/a.cfg", true}, {"/**/*.cfg", "/x/y/a.cfg", true}, {"/**/*.cfg", "/x/y/a.cfg/z", false},
		{"/a/**/b/**/c", "/a/b/c", true}, {"/a/**/b/**/c", "/a/1/b/2/3/c", true}, {"/a/**/b/**/c", "/a/c", false},
		{"/fw/[a-c]*.bin", "/fw/b1.bin", true}, {"/fw/[a-c]*.bin", "/fw/d1.bin", false}, {`/a\*`, "/a*", true}, {`/a\*`, "/ab", false},
		{"/Events/*", "/events/a", false}, {"/a", "", false}, {"*", "", true},
		{"**", "", true}, {"/**", "", true}, {"**/*", "", true}, {"?", "", false}, {"*/*", "", false},
	}
	for _, tt := range tests {
		g, err := policy.CompileGlob(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		if got := g.Match(tt.name); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.name, got)
		}
		if lower := strings.ToLower(tt.pattern) == tt.pattern; lower && g.IgnoringCase().Match(tt.name) != tt.want {
			t.Errorf("%q on %q, ignoring case: %v", tt.pattern, tt.name, !tt.want)
		}
	}
	if !new(policy.Glob).Match("") || new(policy.Glob).Match("a") {
		t.Error("the zero Glob must match the empty string and nothing else")
	}
}

// The time is bounded by the product of both lengths, however many ** there are: exponential, this would not end.
func TestGlobManyStars(t *testing.T) {
	g, err := policy.CompileGlob(strings.Repeat("/**/a", 30) + "/b")
	if err != nil {
		t.Fatal(err)
	}
	if name := strings.Repeat("/a", 2000); g.Match(name) || !g.Match(name+"/b") {
		t.Error("wrong")
	}
}

func TestGlobRefused(t *testing.T) {
	for _, pattern := range []string{"", "/a**", "/**b/c", "/[a", `/a\`} {
		if g, err := policy.CompileGlob(pattern); err == nil {
			t.Errorf("%q was taken as %v", pattern, g)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("/events/**", "/events/a")
	f.Add("/**/[a-", "/x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, err := policy.CompileGlob(pattern)
		if err != nil {
			return
		}
		ok := g.Match(name)
		// The Glob that ignores case looks at every segment, without any of the short ways.
		if slow := g.IgnoringCase(); strings.ToLower(pattern) == pattern && strings.ToLower(name) == name && slow.Match(name) != ok {
			t.Errorf("%q and %q: %v, and segment by segment otherwise", pattern, name, ok)
		}
		if every, _ := policy.CompileGlob("**"); !every.Match(name) {
			t.Errorf("** does not match %q", name)
		}
	})
}
