// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/ftpgw/ftpgw/policy"

func expectSpec() blockSpec {
	return blockSpec{
		name: "expect", count: "at most one, in a rule that allows upload or append",
		meaning: "What is known of the files that come under the rule, as evidence that they are whole. A file that is not as expected is not published; the device gets a 4yz reply and the record says what was expected. It is not a condition of the rule. See [completeness](completeness.md).",
		attributes: []attribute{
			{name: "min_size", kind: kindSize, absent: "no bound", example: `"1kB"`,
				meaning: "A file is at least this large."},
			{name: "max_size", kind: kindSize, absent: "no bound", example: `"8MiB"`,
				meaning: "A file is at most this large."},
			{name: "companion", kind: kindText, absent: "no companion", example: `"{name}.size"`,
				meaning: "The name of a file in the same directory that holds the size as a decimal number, and that must be there before. `{name}` stands for the file's name, `{stem}` for that without its last extension. Companions themselves are not expected to have one."},
			{name: "name_size", kind: kindText, absent: "names tell no size", example: `".*_(?P<size>[0-9]+)[.]dat"`,
				meaning: "A regular expression (RE2) for a whole file name, in which the group `size` is the size. Files whose names do not match are refused with 553 before they are sent."},
		},
	}
}

// expect is the rule's expect block, or nil.
func (b body) expect(ops []policy.Operation) *policy.Expectation {
	blocks := b.content.Blocks.OfType("expect")
	if len(blocks) == 0 {
		return nil
	}
	for _, extra := range blocks[1:] {
		b.fail(extra.DefRange, "Duplicate expect", "The expect block was already defined at %s.", place(blocks[0].DefRange))
	}
	if !b.receives(ops) {
		b.fail(blocks[0].DefRange, "Unexpected expect", "%s lets no device send files, so nothing can be expected of them.", b.title())
	}
	e := b.open(expectSpec(), blocks[0].Body, "", blocks[0].DefRange)
	x := &policy.Expectation{MinSize: e.size("min_size"), MaxSize: e.size("max_size")}
	if x.MaxSize > 0 && x.MinSize > x.MaxSize {
		e.fail(e.valueRange("min_size"), "Sizes upside down", "min_size is above max_size: no file is that large and that small.")
	}
	if text, ok := e.text("companion"); ok {
		var err error
		if x.Companion, err = policy.CompileCompanion(text.text); err != nil {
			e.invalid("companion", text, err)
		}
	}
	if text, ok := e.text("name_size"); ok {
		var err error
		if x.Name, err = policy.CompileNameSize(text.text); err != nil {
			e.invalid("name_size", text, err)
		}
	}
	if !e.has("min_size") && !e.has("max_size") && !e.has("companion") && !e.has("name_size") && !b.broken {
		b.fail(blocks[0].DefRange, "Empty expect", "The block expects nothing. Give it at least one attribute, or leave it out.")
	}
	return x
}

// incomplete is what the rule wants done with files that are not whole.
func (b body) incomplete(ops []policy.Operation) policy.Incomplete {
	text, ok := b.text("incomplete")
	if !ok {
		return policy.RemoveIncomplete
	}
	ways := []policy.Incomplete{policy.RemoveIncomplete, policy.KeepIncomplete}
	switch i := policy.Incomplete(text.text); i {
	case policy.RemoveIncomplete, policy.KeepIncomplete:
		if b.has("incomplete") && !b.receives(ops) {
			b.fail(text.at, "Unexpected incomplete", "%s lets no device send files, so none can be incomplete.", b.title())
		}
		return i
	}
	b.fail(text.at, "Invalid incomplete", "%q is nothing that can be done. %s", text.text, Suggest(text.text, "ways", words(ways)))
	return ""
}

// receives reports whether devices may send files under the rule, or whether that cannot be told.
func (b body) receives(ops []policy.Operation) bool {
	if b.broken || b.excused["allow"] {
		return true
	}
	for _, op := range ops {
		if op == policy.Upload || op == policy.Append {
			return !b.has("deny")
		}
	}
	return false
}
