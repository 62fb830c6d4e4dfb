// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"path"
	"strings"
)

// Glob is a compiled pattern over slash-separated names. Within a segment it is path.Match's language (*, ?, [a-z], \x);
// the segment ** stands for any number of segments, none included, so that /events/** matches /events as well as all below it.
// Matching is case-sensitive unless IgnoringCase made the Glob. The empty name is one empty segment, which * matches; the zero Glob
// matches that name alone.
type Glob struct {
	pattern  string   // as it was written
	segments []string // in lower case where fold is set
	fold     bool
	// The three forms that nearly all rules use are matched without looking at segments: a policy is asked a thousand rules long.
	shape shape
	fixed string // literal: the whole name; subtree: what stands before /**; prefix: what stands before *; general: how every name begins
	inner string // general: what every name contains
}

// shape is the form of a pattern.
type shape uint8

const (
	general shape = iota
	literal       // relay-12
	subtree       // /events/**
	prefix        // relay-*
)

// special are the signs that stand for something else in a pattern.
const special = `*?[\`

// shapeOf finds the form of a pattern that is valid.
func shapeOf(pattern string) (shape, string) {
	if !strings.ContainsAny(pattern, special) {
		return literal, pattern
	}
	if head, ok := strings.CutSuffix(pattern, "/**"); ok && head != "" && !strings.ContainsAny(head, special) {
		return subtree, head
	}
	if head, ok := strings.CutSuffix(pattern, "*"); ok && !strings.ContainsAny(head, special) {
		return prefix, head
	}
	// Behind a slash ** may stand, which matches the name without that slash as well.
	return general, strings.TrimSuffix(pattern[:strings.IndexAny(pattern, special)], "/")
}

// CompileGlob checks and compiles a pattern. The error names what is wrong with it.
func CompileGlob(pattern string) (Glob, error) {
	if pattern == "" {
		return Glob{}, fmt.Errorf("the pattern is empty")
	}
	segments := strings.Split(pattern, "/")
	for _, s := range segments {
		if s != "**" && strings.Contains(s, "**") {
			return Glob{}, fmt.Errorf("in %q, ** must stand alone between slashes", pattern)
		}
		if _, err := path.Match(s, ""); err != nil {
			return Glob{}, fmt.Errorf("in %q, %q is not a valid pattern (a bracket is not closed, or a backslash is last)", pattern, s)
		}
	}
	g := Glob{pattern: pattern, segments: segments}
	if g.shape, g.fixed = shapeOf(pattern); g.shape == general {
		g.inner = contained(pattern)
	}
	return g, nil
}

// contained is the longest text that stands in every name that a valid pattern matches: of "/**/bay-7/*.cfg" it is "bay-7".
func contained(pattern string) string {
	if strings.ContainsAny(pattern, `[\`) {
		return ""
	}
	longest := ""
	for _, part := range strings.FieldsFunc(pattern, func(r rune) bool { return strings.ContainsRune("*?/", r) }) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// IgnoringCase is the Glob that matches names whatever the case of their letters.
func (g Glob) IgnoringCase() Glob {
	if g.fold || g.pattern == "" {
		return g
	}
	segments := strings.Split(strings.ToLower(g.pattern), "/")
	return Glob{pattern: g.pattern, segments: segments, fold: true}
}

// String is the pattern as it was written.
func (g Glob) String() string { return g.pattern }

// Match reports whether the whole of name matches.
func (g Glob) Match(name string) bool { return g.match(name) }

// match is Match without a copy, for the loops over thousands of rules.
func (g *Glob) match(name string) bool {
	switch g.shape {
	case literal:
		return name == g.fixed
	case subtree:
		return strings.HasPrefix(name, g.fixed) && (len(name) == len(g.fixed) || name[len(g.fixed)] == '/')
	case prefix:
		return strings.HasPrefix(name, g.fixed) && !strings.Contains(name[len(g.fixed):], "/")
	}
	if !strings.HasPrefix(name, g.fixed) || !strings.Contains(name, g.inner) {
		return false
	}
	if g.fold {
		name = strings.ToLower(name)
	}
	// A name is split as a pattern is: the empty one is a single empty segment, but to the zero Glob, which has none.
	return matchSegments(g.segments, name, name == "" && len(g.segments) == 0)
}

// matchSegments matches name, whose segments are split off one by one; done says that no segment is left. On a mismatch only the
// last ** takes a segment more: what the ones before it took is enough, so that the time is bounded by the product of both lengths.
func matchSegments(pattern []string, name string, done bool) bool {
	var behind []string // of the last **
	var rest string     // of the name, where behind was tried last
	restDone, starred := false, false
	for {
		switch {
		case len(pattern) > 0 && pattern[0] == "**":
			pattern, starred = pattern[1:], true
			behind, rest, restDone = pattern, name, done
			continue
		case len(pattern) == 0 && done:
			return true
		case len(pattern) > 0 && !done:
			head, tail, more := strings.Cut(name, "/")
			if ok, err := path.Match(pattern[0], head); ok && err == nil {
				pattern, name, done = pattern[1:], tail, !more
				continue
			}
		}
		if !starred || restDone {
			return false
		}
		_, tail, more := strings.Cut(rest, "/")
		rest, restDone = tail, !more
		pattern, name, done = behind, rest, restDone
	}
}
