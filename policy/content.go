// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Content is what a rule demands of what is in a file. It is no condition: a file that does not meet it is refused by the rule, and no
// later rule is asked.
type Content struct {
	Types  []string        // names of types, one of which it must be; empty is any
	SHA256 map[string]bool // digests in lower-case hexadecimal, one of which it must have; nil is any
	// MaxExpansion is how many times its own size an archive or compressed file may hold, and MaxExpanded how many bytes; 0 is no
	// bound. Where one of them is set, MaxExpanded is: it bounds the work.
	MaxExpansion, MaxExpanded int64
}

// Found is what has been found out about the content of a file.
type Found struct {
	Type   string
	SHA256 string // in lower-case hexadecimal
	Size   int64  // bytes
	// Expanded is how many bytes it holds as an archive or a compressed file; 0 where it is none. Where that could not be found out
	// Unjudged says why. Both are of a meaning only where a MaxExpanded is demanded, and measured up to at least that.
	Expanded int64
	Unjudged error
}

// String is the demand in words.
func (c *Content) String() string {
	if c == nil {
		return "anything"
	}
	var words []string
	if len(c.Types) > 0 {
		words = append(words, "types "+strings.Join(c.Types, ", "))
	}
	if c.SHA256 != nil {
		words = append(words, fmt.Sprintf("one of %d digests", len(c.SHA256)))
	}
	if c.MaxExpansion > 0 {
		words = append(words, fmt.Sprintf("expanding to at most %d times its size", c.MaxExpansion))
	}
	if c.MaxExpanded > 0 {
		words = append(words, fmt.Sprintf("expanding to at most %d bytes", c.MaxExpanded))
	}
	return strings.Join(words, ", ")
}

// RefusesType says why a file of the type is refused; empty where it is not, or the type is not known.
func (c *Content) RefusesType(kind string) string {
	if c == nil || kind == "" || len(c.Types) == 0 || slices.Contains(c.Types, kind) {
		return ""
	}
	return fmt.Sprintf("its content is %s, and the rule lets %s pass", kind, strings.Join(c.Types, ", "))
}

// Refuses says why a file is refused; empty where it is not.
func (c *Content) Refuses(f Found) string {
	switch {
	case c == nil:
		return ""
	case len(c.Types) > 0 && !slices.Contains(c.Types, f.Type):
		return c.RefusesType(f.Type)
	case c.SHA256 != nil && !c.SHA256[f.SHA256]:
		return fmt.Sprintf("its SHA-256 %s is not on the rule's list", f.SHA256)
	case c.MaxExpanded == 0:
		return ""
	case f.Unjudged != nil:
		return fmt.Sprintf("how far it expands cannot be judged: %v", f.Unjudged)
	case f.Expanded > c.MaxExpanded:
		return fmt.Sprintf("it expands to more than the %d bytes that the rule lets pass", c.MaxExpanded)
	case c.MaxExpansion > 0 && (f.Expanded+c.MaxExpansion-1)/c.MaxExpansion > f.Size:
		return fmt.Sprintf("it expands from %d to %d bytes, and the rule lets %d times its size pass", f.Size, f.Expanded, c.MaxExpansion)
	}
	return ""
}

// Inspects reports whether any rule asks for something of content.
func (p *Policy) Inspects() bool {
	return slices.ContainsFunc(p.every, func(r *compiled) bool { return r.Content != nil || len(r.Types) > 0 })
}
