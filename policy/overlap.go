// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"path"
	"slices"
	"strings"
)

// Finding is something about a policy that its author may not have meant. It is no error: the first match decides all the same.
type Finding struct {
	Rule string
	// By is the earlier rule that Rule stands behind; empty where Rule is about no device at all.
	By string
	// Unreachable is true where Rule never decides anything. Otherwise By decides differently about some of what Rule is about.
	Unreachable bool
}

// Findings names the rules that can never decide, and those that an earlier rule decides differently for a part. What it calls
// unreachable is so; it does not find all of them where conditions and patterns hide what they have in common. What it calls
// overlapping may not be, for patterns that no path matches both of.
func (p *Policy) Findings() []Finding {
	var found []Finding
	for i, r := range p.every {
		if len(p.index.subjects) > 0 && len(p.subjects(r)) == 0 {
			found = append(found, Finding{Rule: r.Name, Unreachable: true})
			continue
		}
		if by, ok := p.hidden(r, p.every[:i]); ok {
			found = append(found, Finding{Rule: r.Name, By: by, Unreachable: true})
			continue
		}
		for _, earlier := range p.every[:i] {
			if r.differs(earlier) && p.overlap(r, earlier) {
				found = append(found, Finding{Rule: r.Name, By: earlier.Name})
			}
		}
	}
	return found
}

// subjects are the names of the known devices that a rule is about.
func (p *Policy) subjects(r *compiled) map[string]bool {
	names := map[string]bool{}
	for name, s := range p.index.subjects {
		if s.about.has(r) {
			names[name] = true
		}
	}
	return names
}

// hidden finds the earlier rules that decide everything that r is about, for each of its operations one; it names the first.
func (p *Policy) hidden(r *compiled, earlier []*compiled) (string, bool) {
	by := ""
	for _, op := range r.Ops {
		i := slices.IndexFunc(earlier, func(e *compiled) bool { return e.ops&bit(op) != 0 && p.covers(e, r, op) })
		if i < 0 {
			return "", false
		}
		if by == "" {
			by = earlier[i].Name
		}
	}
	return by, by != ""
}

// covers reports whether e certainly matches whatever r matches for the operation.
func (p *Policy) covers(e, r *compiled, op Operation) bool {
	size := !op.transfers() || e.MinSize <= r.MinSize && (e.MaxSize == 0 || r.MaxSize > 0 && r.MaxSize <= e.MaxSize)
	window := e.Window == nil || e.Window.String() == "always" || r.Window != nil && e.Window.String() == r.Window.String()
	when := e.When == nil || r.When != nil && e.When.String() == r.When.String() && e.location() == r.location()
	types := len(e.Types) == 0 || op.receives() && len(r.Types) > 0 && !slices.ContainsFunc(r.Types, func(t string) bool { return !slices.Contains(e.Types, t) })
	if !size || !types || !window || !when || len(e.ExceptPaths) > 0 {
		return false
	}
	protected := (e.TLS == AnyProtection || e.TLS == r.TLS) && coversGlobs(e.Certificates, r.Certificates)
	return protected && p.coversSubjects(e, r) && coversGlobs(e.Zones, r.Zones) && coversPrefixes(e.From, r.From) &&
		coversGlobs(e.Paths, r.Paths) && coversGlobs(e.Names, r.Names)
}

// coversSubjects compares the devices that the rules are about: without a list of devices, the patterns.
func (p *Policy) coversSubjects(e, r *compiled) bool {
	if len(e.Devices) == 0 && len(e.Groups) == 0 {
		return true
	}
	if len(p.index.subjects) == 0 {
		return len(r.Groups) == 0 && len(e.Groups) == 0 && len(r.Devices) > 0 && coversGlobs(e.Devices, r.Devices)
	}
	wider := p.subjects(e)
	for name := range p.subjects(r) {
		if !wider[name] {
			return false
		}
	}
	return true
}

// coversGlobs reports whether whatever one of the patterns b matches, one of a certainly does; no pattern is any name.
func coversGlobs(a, b []Glob) bool {
	if len(a) == 0 {
		return true
	}
	return len(b) > 0 && !slices.ContainsFunc(b, func(g Glob) bool {
		return !slices.ContainsFunc(a, func(wide Glob) bool { return wide.covers(g) })
	})
}

func (g Glob) covers(b Glob) bool {
	if g.pattern == "**" || g.pattern == "/**" && strings.HasPrefix(b.pattern, "/") {
		return true
	}
	if b.fold && !g.fold {
		return false
	}
	switch {
	case g.pattern == b.pattern, b.shape == literal && g.Match(b.pattern):
		return true
	case g.shape == subtree && b.shape == subtree:
		return g.Match(b.fixed)
	case g.shape == subtree:
		return strings.HasPrefix(b.pattern[:strings.IndexAny(b.pattern+"*", special)], g.fixed+"/")
	}
	return g.shape == prefix && b.shape == prefix && strings.HasPrefix(b.fixed, g.fixed)
}

func coversPrefixes(a, b []netip.Prefix) bool {
	if len(a) == 0 {
		return true
	}
	return len(b) > 0 && !slices.ContainsFunc(b, func(p netip.Prefix) bool {
		return !slices.ContainsFunc(a, func(wide netip.Prefix) bool { return wide.Bits() <= p.Bits() && wide.Overlaps(p) })
	})
}

// differs reports whether it matters which of the rules decides.
func (r *compiled) differs(e *compiled) bool {
	return r.Deny != e.Deny || !r.Deny && (r.Deliver != e.Deliver || r.PathTemplate != e.PathTemplate || r.Content != e.Content || r.Limits != e.Limits)
}

// overlap reports whether there may be a question that both rules match.
func (p *Policy) overlap(r, e *compiled) bool {
	if r.TLS != AnyProtection && e.TLS != AnyProtection && r.TLS != e.TLS {
		return false
	}
	if r.ops&e.ops == 0 || !overlapGlobs(r.Zones, e.Zones) || !overlapPrefixes(r.From, e.From) ||
		!overlapGlobs(r.Paths, e.Paths) || !overlapGlobs(r.Names, e.Names) {
		return false
	}
	if len(r.Types) > 0 && len(e.Types) > 0 && r.ops&e.ops&^(bit(Upload)|bit(Append)) == 0 &&
		!slices.ContainsFunc(r.Types, func(t string) bool { return slices.Contains(e.Types, t) }) {
		return false
	}
	if r.ops&e.ops&^(bit(Upload)|bit(Append)|bit(Download)) == 0 &&
		(r.MaxSize > 0 && e.MinSize > r.MaxSize || e.MaxSize > 0 && r.MinSize > e.MaxSize) {
		return false
	}
	if len(p.index.subjects) == 0 {
		return len(r.Groups) > 0 || len(e.Groups) > 0 || overlapGlobs(r.Devices, e.Devices)
	}
	others := p.subjects(e)
	for name := range p.subjects(r) {
		if others[name] {
			return true
		}
	}
	return false
}

func overlapGlobs(a, b []Glob) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x Glob) bool {
		return slices.ContainsFunc(b, func(y Glob) bool {
			return overlapSegments(strings.Split(strings.ToLower(x.pattern), "/"), strings.Split(strings.ToLower(y.pattern), "/"))
		})
	})
}

// overlapSegments reports whether a name may match both patterns: whether both can be gone through to their ends at once.
func overlapSegments(a, b []string) bool {
	reached := make([][]bool, len(a)+2)
	for i := range reached {
		reached[i] = make([]bool, len(b)+2)
	}
	reached[0][0] = true
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			if !reached[i][j] {
				continue
			}
			anyA, anyB := i < len(a) && a[i] == "**", j < len(b) && b[j] == "**"
			if anyA || anyB && i < len(a) {
				reached[i+1][j] = true // ** in a ends, or ** in b takes a's part
			}
			if anyB || anyA && j < len(b) {
				reached[i][j+1] = true
			}
			if i < len(a) && j < len(b) && !anyA && !anyB && overlapSegment(a[i], b[j]) {
				reached[i+1][j+1] = true
			}
		}
	}
	return reached[len(a)][len(b)]
}

// overlapSegment is certain about literals, and about what stands before the first and behind the last special sign.
func overlapSegment(a, b string) bool {
	switch aSpecial, bSpecial := strings.ContainsAny(a, special), strings.ContainsAny(b, special); {
	case !aSpecial && !bSpecial:
		return a == b
	case !aSpecial:
		ok, err := path.Match(b, a)
		return ok || err != nil
	case !bSpecial:
		ok, err := path.Match(a, b)
		return ok || err != nil
	}
	x, y := a[:strings.IndexAny(a, special)], b[:strings.IndexAny(b, special)]
	if !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x) {
		return false
	}
	if strings.ContainsAny(a+b, `[\`) {
		return true
	}
	x, y = a[strings.LastIndexAny(a, special)+1:], b[strings.LastIndexAny(b, special)+1:]
	return strings.HasSuffix(x, y) || strings.HasSuffix(y, x)
}

func overlapPrefixes(a, b []netip.Prefix) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x netip.Prefix) bool { return slices.ContainsFunc(b, x.Overlaps) })
}
