// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Part is one block or attribute of the top level, or one file that a rule names, for a comparison of two configurations.
type Part struct {
	Name string            // as an operator would say it: rule "NAME"
	sum  [sha256.Size]byte // of what is said there: comments, blanks and lines make no difference
}

// parts are those of a configuration, in its order.
func (d *decoder) parts(files []*hcl.File) []Part {
	var list []Part
	add := func(name, text string) { list = append(list, Part{name, sha256.Sum256([]byte(text))}) }
	for _, f := range files {
		native, ok := f.Body.(*hclsyntax.Body)
		if !ok {
			continue
		}
		for _, b := range native.Blocks {
			name := b.Type
			if len(b.Labels) > 0 {
				name = fmt.Sprintf("%s %q", b.Type, b.Labels[0])
			}
			add(name, d.wordsIn(hcl.RangeBetween(b.TypeRange, b.CloseBraceRange)))
		}
		for _, a := range rootSpec().attributes {
			if attr, ok := native.Attributes[a.name]; ok {
				add(a.name, d.wordsIn(attr.Expr.Range()))
			}
		}
	}
	for _, s := range d.listed {
		add("file "+d.nameOf(s.name), s.says)
	}
	return list
}

// nameOf is a file's name as the configuration would give it: two lists in two directories can have the same last name.
func (d *decoder) nameOf(file string) string {
	if rel, err := filepath.Rel(d.dir, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// wordsIn are the tokens of a piece of configuration without its comments. Where its lines end does not matter: each token says by itself
// whether it begins something new.
func (d *decoder) wordsIn(r hcl.Range) string {
	tokens, _ := hclsyntax.LexConfig([]byte(d.textOf(r)), r.Filename, r.Start) // what is wrong in it was told when it was read
	var b strings.Builder
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenComment && t.Type != hclsyntax.TokenNewline {
			fmt.Fprintf(&b, "%d %q\n", t.Type, t.Bytes)
		}
	}
	return b.String()
}

// Changes says what one configuration has that another does not, part by part: added, removed, or written in another way. Where all
// rules are there in another order, that is a change, too.
func Changes(before, after *Config) []string {
	old, now := before.Parts, after.Parts
	find := func(list []Part, name string) int {
		return slices.IndexFunc(list, func(p Part) bool { return p.Name == name })
	}
	var out []string
	for _, p := range now {
		switch i := find(old, p.Name); {
		case i < 0:
			out = append(out, p.Name+" added")
		case old[i].sum != p.sum:
			out = append(out, p.Name+" changed")
		}
	}
	for _, p := range old {
		if find(now, p.Name) < 0 {
			out = append(out, p.Name+" removed")
		}
	}
	common := func(list, other []Part) (names []string) {
		for _, p := range list {
			if strings.HasPrefix(p.Name, "rule ") && find(other, p.Name) >= 0 {
				names = append(names, p.Name)
			}
		}
		return names
	}
	if !slices.Equal(common(old, now), common(now, old)) {
		out = append(out, "the order of the rules changed")
	}
	return out
}
