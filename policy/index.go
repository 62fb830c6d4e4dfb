// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
)

// index finds the rules that could match a question, without looking at the others: a policy is asked about every step of every
// device, and may have a thousand rules about a thousand devices. What it leaves out certainly does not match.
type index struct {
	// below holds, by the first part of the path, the rules of which every pattern for paths begins with that part or another one
	// that is written out: they are asked only about paths that begin so.
	below    map[string][]*compiled
	subjects map[string]*subject // the known devices
}

// subject is a device with the rules that could be about it.
type subject struct {
	*Device
	about    ruleSet
	anywhere []*compiled // those of about that are in no list of below, in order; devices with the same ones share it
}

// ruleSet is a set of rules by their place, one bit each.
type ruleSet []byte

func (s ruleSet) has(r *compiled) bool { return s[r.at/8]&(1<<(r.at%8)) != 0 }

func newIndex(rules []*compiled, devices []*Device) index {
	x := index{below: map[string][]*compiled{}, subjects: make(map[string]*subject, len(devices))}
	var anywhere []*compiled
	for _, r := range rules {
		parts := firstParts(r.Paths)
		for part := range parts {
			x.below[part] = append(x.below[part], r)
		}
		if len(parts) == 0 {
			anywhere = append(anywhere, r)
		}
	}
	shared := map[string][]*compiled{}
	for _, d := range devices {
		s := &subject{Device: d, about: make(ruleSet, (len(rules)+7)/8)}
		for _, r := range rules {
			if r.about(d.Name, d) {
				s.about[r.at/8] |= 1 << (r.at % 8)
			}
		}
		list, known := shared[string(s.about)]
		if !known {
			for _, r := range anywhere {
				if s.about.has(r) {
					list = append(list, r)
				}
			}
			shared[string(s.about)] = list
		}
		s.anywhere = list
		x.subjects[d.Name] = s
	}
	return x
}

// firstParts are the first parts of the paths that the patterns match, where each of the patterns has it written out.
func firstParts(patterns []Glob) map[string]bool {
	parts := map[string]bool{}
	for i := range patterns {
		part, ok := patterns[i].firstPart()
		if !ok {
			return nil
		}
		parts[part] = true
	}
	return parts
}

// firstPart is how every absolute path begins that the pattern matches: what stands between its first slash and its second.
func (g *Glob) firstPart() (string, bool) {
	if g.fold || len(g.segments) < 2 || g.segments[0] != "" || strings.ContainsAny(g.segments[1], special) {
		return "", false
	}
	return g.segments[1], true
}

// firstPart is the first part of an absolute path.
func firstPart(path string) (string, bool) {
	rest, absolute := strings.CutPrefix(path, "/")
	part, _, _ := strings.Cut(rest, "/")
	return part, absolute
}

// candidates goes through the rules that could match a question, in order. The zero candidates are none.
type candidates struct {
	below, anywhere []*compiled
	about           ruleSet // nil: below is asked whoever it is about
}

// next is the next rule; nil behind the last one.
func (c *candidates) next() *compiled {
	for len(c.below) > 0 && c.about != nil && !c.about.has(c.below[0]) {
		c.below = c.below[1:]
	}
	list := &c.below
	if len(c.below) == 0 || len(c.anywhere) > 0 && c.anywhere[0].at < c.below[0].at {
		list = &c.anywhere
	}
	if len(*list) == 0 {
		return nil
	}
	r := (*list)[0]
	*list = (*list)[1:]
	return r
}

// candidates are the rules that could match. Where the policy knows the device it has been asked for them already whether they are
// about it.
func (p *Policy) candidates(in *inquiry) candidates {
	if in.subject == nil {
		return candidates{anywhere: p.every}
	}
	c := candidates{about: in.subject.about, anywhere: in.subject.anywhere}
	if part, ok := firstPart(in.Path); ok {
		c.below = p.index.below[part]
	}
	return c
}

// rulesAbout are the rules that could be about the device, wherever, in order.
func (p *Policy) rulesAbout(name string) []*compiled {
	s := p.index.subjects[name]
	var rules []*compiled
	for _, r := range p.every {
		if s != nil && s.about.has(r) || s == nil && r.about(name, nil) {
			rules = append(rules, r)
		}
	}
	return rules
}
