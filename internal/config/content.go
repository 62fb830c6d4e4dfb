// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/ftpgw/ftpgw/inspect"
	"github.com/ftpgw/ftpgw/policy"
)

func contentSpec() blockSpec {
	return blockSpec{
		name: "content", count: "at most one, in a rule that allows upload or append",
		meaning: "What must be in the files of the rule, whatever their names say. It is looked at when the last byte has come; a file that does not meet it is refused with 550 and nothing of it is published. No later rule is asked.",
		attributes: []attribute{
			{name: "types", kind: kindNames, absent: "any type", example: `["comtrade", "text"]`,
				meaning: "Types, one of which the file must be: " + strings.Join(inspect.Types(), ", ") + ". A COMTRADE .cfg is one when it can be read as one, a .dat when it is exactly as large as the .cfg beside it says, which must be there before: without one the reply is 451. A .cff holds both. See [policy](policy.md)."},
			{name: "sha256", kind: kindPath, absent: "any content", example: `"allowed.sha256"`,
				meaning: "A file of digests as sha256sum writes them, one of which the file must have. It is part of the configuration: a change needs a reload."},
			{name: "max_expansion", kind: kindNumber, absent: "no bound", example: `100`,
				meaning: "How many times its own size an archive or a compressed file may hold. It is measured by unpacking it, not read from its headers: zip, tar, gzip, bzip2, xz and zstd, up to four in each other. One that cannot be judged, since it is encrypted, damaged or of another kind, is refused. A file that is none of them is not concerned. See [policy](policy.md)."},
			{name: "max_expanded", kind: kindSize, fallback: "256MiB", example: `"1GiB"`,
				meaning: "How many bytes an archive or a compressed file may hold; the same goes for it. The default is in force where max_expansion is given."},
		},
	}
}

// fileContent is the rule's content block, or nil.
func (b body) fileContent(deny bool, ops []policy.Operation) *policy.Content {
	blocks := b.content.Blocks.OfType("content")
	if len(blocks) == 0 {
		return nil
	}
	for _, extra := range blocks[1:] {
		b.fail(extra.DefRange, "Duplicate content", "The content block was already defined at %s.", place(blocks[0].DefRange))
	}
	if deny || len(ops) > 0 && !slices.Contains(ops, policy.Upload) && !slices.Contains(ops, policy.Append) {
		b.fail(blocks[0].DefRange, "Unexpected content", "%s lets no device send files, so there is no content to look at.", b.title())
	}
	c := b.open(contentSpec(), blocks[0].Body, "", blocks[0].DefRange)
	demand := &policy.Content{}
	demand.Types = c.types("types")
	if file := c.path("sha256"); file != "" {
		demand.SHA256 = c.digests(file)
	}
	if c.has("max_expansion") || c.has("max_expanded") {
		const most = 1_000_000
		demand.MaxExpansion, demand.MaxExpanded = int64(c.number("max_expansion", 1, most)), c.size("max_expanded")
	}
	if len(c.content.Attributes) == 0 && !c.broken && !b.broken {
		b.fail(blocks[0].DefRange, "Empty content", "The block demands nothing. Give it types, sha256, max_expansion or max_expanded, or leave it out.")
	}
	return demand
}

// types reads a list of types of content.
func (b body) types(name string) (types []string) {
	for _, text := range b.list(name) {
		b.checkType(text)
		types = append(types, text.text)
	}
	return types
}

func (b body) checkType(text located) {
	if !slices.Contains(inspect.Types(), text.text) {
		b.fail(text.at, "Unknown type", "There is no type %q. %s", text.text, Suggest(text.text, "types", inspect.Types()))
	}
}

// digests reads a list as sha256sum writes it: a digest, a blank, a blank or *, and a name; a backslash in front says that the name
// is escaped. Empty lines and those that begin with # are left out.
func (b body) digests(file string) map[string]bool {
	text, err := readFile(file)
	if err != nil {
		b.fail(b.valueRange("sha256"), "Unusable sha256", "%s.", capital(err.Error()))
		return nil
	}
	list := len(b.listed)
	b.listed = append(b.listed, source{name: file, text: text})
	digests := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimPrefix(strings.TrimSpace(line), `\`)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		digest, _, _ := strings.Cut(line, " ")
		if sum, err := hex.DecodeString(digest); err != nil || len(sum) != 32 {
			b.fail(b.valueRange("sha256"), "Unusable sha256", "Line %d of %q does not begin with a SHA-256 digest as sha256sum writes it.", n, file)
			return nil
		}
		digests[strings.ToLower(digest)] = true
	}
	if len(digests) == 0 {
		b.fail(b.valueRange("sha256"), "Unusable sha256", "The file %q lists no digest, so no file could pass.", file)
	}
	b.listed[list].says = strings.Join(slices.Sorted(maps.Keys(digests)), "\n")
	return digests
}
