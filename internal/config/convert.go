// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// invalid reports an attribute whose value is wrong; the error becomes a sentence.
func (b body) invalid(name string, text located, err error) {
	b.fail(text.at, "Invalid "+name, "%s.", capital(err.Error()))
}

func (b body) duration(name string) time.Duration {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	d, err := parseDuration(text.text)
	if err != nil {
		b.invalid(name, text, err)
	}
	return d
}

// size is a number of bytes above zero, or 0 where the attribute is absent.
func (b body) size(name string) int64 {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	n, err := ParseSize(text.text)
	switch {
	case err != nil:
		b.invalid(name, text, err)
	case n == 0:
		b.fail(text.at, "Invalid "+name, "A bound of zero bytes is no bound. Leave the attribute out for none.")
	}
	return n
}

func (b body) number(name string, least, most int) int {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text.text)
	if err != nil || n < least || n > most {
		b.fail(text.at, "Invalid "+name, "%q is not a whole number from %d to %d.", text.text, least, most)
		return 0
	}
	return n
}

// line is a text of one line.
func (b body) line(name string) string {
	text, ok := b.text(name)
	if !ok {
		return ""
	}
	if err := checkLine(text.text); err != nil {
		b.invalid(name, text, err)
	}
	return text.text
}

func (b body) prefixes(name string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range b.list(name) {
		p, err := parsePrefix(text.text)
		if err != nil {
			b.invalid(name, text, err)
			continue
		}
		list = append(list, p)
	}
	return list
}

// remotePath is an absolute, clean path on the far side.
func (b body) remotePath(name string) string {
	text, ok := b.text(name)
	if !ok {
		return ""
	}
	switch p := text.text; {
	case !strings.HasPrefix(p, "/"):
		b.fail(text.at, "Invalid "+name, "The path %q is not absolute; it must start with \"/\".", p)
	case strings.ContainsFunc(p, unprintable):
		b.fail(text.at, "Invalid "+name, "The path contains control characters.")
	case hasSegment(p, ".."):
		b.fail(text.at, "Invalid "+name, "The path %q contains \"..\"; say where it leads instead.", p)
	default:
		return path.Clean(p)
	}
	return ""
}

func hasSegment(p string, segments ...string) bool {
	for s := range strings.SplitSeq(p, "/") {
		for _, bad := range segments {
			if s == bad {
				return true
			}
		}
	}
	return false
}

// flag is true or false.
func (b body) flag(name string) bool {
	text, ok := b.text(name)
	if !ok {
		return false
	}
	if text.text != "true" && text.text != "false" {
		b.fail(text.at, "Invalid "+name, "%q is neither true nor false.", text.text)
	}
	return text.text == "true"
}

// choice is one of a few words.
func (b body) choice(name string, words ...string) string {
	text, ok := b.text(name)
	if ok && !slices.Contains(words, text.text) {
		b.fail(text.at, "Invalid "+name, "%q is not possible here. %s", text.text, Suggest(text.text, "choices", words))
	}
	return text.text
}

// textMap is a map from names, which are identifiers, to texts. It is nil where the attribute is absent or wrong.
func (b body) textMap(name string) map[string]string {
	value, at, ok := b.value(name)
	if !ok {
		return nil
	}
	if !value.Type().IsObjectType() {
		b.fail(at, "Invalid "+name, "Names with texts are needed here, such as { vendor = \"SEL\" }, not %s.", typeName(value))
		return nil
	}
	texts := map[string]string{}
	values := value.AsValueMap()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v := values[key]
		if !hclsyntax.ValidIdentifier(key) {
			b.fail(at, "Invalid "+name, "%q is not a name that a condition could ask for; use letters, digits and _.", key)
			continue
		}
		if text, ok := b.asText(name, v, at); ok {
			texts[key] = text.text
		}
	}
	return texts
}
