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
	return strings.Join(words, ", ")
}

// Refuses says why a file of that type and digest is refused; empty where it is not.
func (c *Content) Refuses(kind, digest string) string {
	switch {
	case c == nil:
		return ""
	case len(c.Types) > 0 && !slices.Contains(c.Types, kind):
		return fmt.Sprintf("its content is %s, and the rule lets %s pass", kind, strings.Join(c.Types, ", "))
	case c.SHA256 != nil && !c.SHA256[digest]:
		return fmt.Sprintf("its SHA-256 %s is not on the rule's list", digest)
	}
	return ""
}

// Inspects reports whether any rule demands something of content.
func (p *Policy) Inspects() bool {
	return slices.ContainsFunc(p.every, func(r *compiled) bool { return r.Content != nil })
}
