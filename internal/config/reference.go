// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// Reference is the reference of every block and attribute, in Markdown. It is made from the tables that the decoder itself uses.
func Reference() string {
	var out strings.Builder
	out.WriteString(referenceIntroduction)
	for _, kind := range valueKinds() {
		fmt.Fprintf(&out, "| %s | %s | `%s` |\n", kind.kind, kind.meaning, kind.example)
	}
	out.WriteString(referenceRules)
	out.WriteString("## At the top level\n\nThese stand outside of all blocks, each in one of the files.\n\n")
	writeAttributes(&out, rootSpec().attributes)
	fmt.Fprintf(&out, "\n```hcl\n%s```\n\n", assignments(rootSpec().attributes, ""))
	for _, b := range rootSpec().blocks {
		if b.count != "" {
			writeBlock(&out, b, "##")
		}
	}
	out.WriteString(referenceTests)
	writeBlock(&out, testSpec(), "###")
	return out.String()
}

const referenceIntroduction = `# Configuration reference

<!-- Made from the tables in internal/config; go test ./internal/config -run TestReference -update rewrites it. -->

A configuration is a file in [HCL](https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md), or a directory. All files of a
directory whose names end in .hcl are read as one configuration, in the order of their names; hidden files and sub-directories are
not read, nor are tests of the policy (names that end in ` + "`_test.hcl`" + `). Values are written out: there are no variables and no functions, but in conditions.

` + "`ftpgw check --config FILE|DIR`" + ` shows everything that is wrong with a configuration in one run. ` + "`ftpgw explain`" + ` tells which rule
decides a given case. Examples to start from are in [configs](../configs).

A label (the name of a block) starts with a letter or digit and consists of letters, digits and ` + "`. _ - @ +`" + `, 64 bytes at most. No two
blocks of a kind have the same one.

## Values

| type | how it is written | example |
|---|---|---|
`

const referenceRules = `
In patterns, ` + "`*`" + ` stands for any characters but ` + "`/`" + `, ` + "`?`" + ` for one, ` + "`[a-z]`" + ` for one of several, and a backslash takes the next character
as it is. The part ` + "`**`" + `, alone between slashes, stands for any number of directories, none included: ` + "`/events/**`" + ` matches ` + "`/events`" + ` and
everything below it, ` + "`**/*.cfg`" + ` every file of that kind. Case matters. A pattern for paths starts with ` + "`/`" + ` or ` + "`**`" + `.

A list that is written down is never empty: leave the attribute out to set no condition.

The operations of rules are:

| operation | FTP commands |
|---|---|
| ` + "`upload`" + ` | STOR, STOU, and STOR after REST |
| ` + "`append`" + ` | APPE |
| ` + "`download`" + ` | RETR |
| ` + "`list`" + ` | LIST, NLST, MLSD, MLST, STAT of a path, SIZE, MDTM, digests |
| ` + "`delete`" + ` | DELE |
| ` + "`rename`" + ` | RNFR and RNTO |
| ` + "`mkdir`" + `, ` + "`rmdir`" + ` | MKD, RMD |
| ` + "`modify`" + ` | MFMT, SITE CHMOD |

CWD, CDUP and PWD need no rule of their own, but a device that no rule could ever allow anything is refused them. A listing shows all
names of a directory: rules decide about the directory that is listed, not about each name in it. An upload or a rename replaces a
file that stands under the name. Files are made with mode 0640 and directories with 0750, or stricter where the server's umask is. A
device's home is made when the device first writes; other directories are not.

`

const referenceTests = `## Tests of a policy

Files whose names end in ` + "`_test.hcl`" + ` are no part of the configuration beside which they lie: NAME_test.hcl belongs to the
file NAME.hcl, and all of a directory to that directory. They hold questions with the answers that the
policy is meant to give, for ` + "`ftpgw policy test FILE|DIR`" + `.

`

// valueKind explains one kind of value.
type valueKind struct {
	kind             kind
	meaning, example string
}

func valueKinds() []valueKind {
	return []valueKind{
		{kindText, "one line of text", `"..."`},
		{kindPath, "a file or directory; one on this machine is relative to the directory of the configuration", `"id_ed25519"`},
		{kindPeriod, "like a duration, or a number of days; 36500d at most", `"30d"`},
		{kindDuration, "a number and a unit (ms, s, m, h), above zero, 24h at most", `"1m30s"`},
		{kindSize, "a whole number of bytes, or with a unit: B; kB (or KB), MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB are powers of 1024", `"64MiB"`},
		{kindNumber, "a whole number", `2`},
		{kindRate, "a size per second, or bits: bit/s, kbit/s, Mbit/s, Gbit/s, in powers of 1000", `"1MiB/s"`},
		{kindAddress, "an IP address", `"192.0.2.10"`},
		{kindAddressPort, "an address and a TCP port; IPv6 addresses stand in brackets", `"[2001:db8::1]:22"`},
		{kindPortRange, "the first and the last port, 1 to 65535", `"50000-50099"`},
		{kindPrefixes, "address ranges without host bits; a single address is /32 or /128", `["10.7.0.0/24"]`},
		{kindPatterns, "one of them must match; see below", `["relay-*"]`},
		{kindNames, "names as they stand in certificates", `["relay-12.station.example"]`},
		{kindOperations, "see below", `["upload", "list"]`},
		{kindRequirements, "see the attribute", `["fsync", "atomic"]`},
		{kindFlag, "without quotes", "true"},
		{kindSpans, "from and to, as a clock shows them; the minute of the end is outside, and the whole day is 00:00-24:00", `["22:00-04:00"]`},
		{kindWeekdays, "English names, or their first three letters", `["mon", "tue"]`},
		{kindInstant, "date and time of day, or RFC 3339 with an offset", `"2026-03-01 18:00"`},
		{kindLabels, "names (letters, digits, _) with one text each", `{ vendor = "SEL" }`},
		{kindCondition, "an HCL expression that is true or false; see [policy](policy.md)", `file.size < mib(64)`},
		{kindTemplate, "an HCL text with expressions in ${ }; see [policy](policy.md)", `"/${device.name}/${file.name}"`},
	}
}

// writeBlock writes the section of one block, and those of the blocks in it one level deeper.
func writeBlock(out *strings.Builder, b blockSpec, level string) {
	header := b.name
	if b.label != "" {
		header += ` "NAME"`
	}
	fmt.Fprintf(out, "%s `%s`\n\n%s How many: %s.\n\n", level, header, b.meaning, b.count)
	writeAttributes(out, b.attributes)
	fmt.Fprintf(out, "\nEvery attribute by example, also those that exclude each other:\n\n```hcl\n%s```\n\n", b.sample(header))
	for _, inner := range b.blocks {
		writeBlock(out, inner, level+"#")
	}
}

func writeAttributes(out *strings.Builder, attributes []attribute) {
	out.WriteString("| attribute | type | default | meaning |\n|---|---|---|---|\n")
	for _, a := range attributes {
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", a.name, a.kind, a.standard(), a.meaning)
	}
}

// standard is the column that says what an attribute is when it is not written.
func (a attribute) standard() string {
	switch {
	case a.required:
		return "required"
	case a.fallback != "" && (a.kind == kindNumber || a.kind == kindFlag):
		return "`" + a.fallback + "`"
	case a.fallback != "":
		return "`\"" + a.fallback + "\"`"
	default:
		return "if left out: " + a.absent
	}
}

// sample is a block with the example of every attribute, their equals signs aligned.
func (s blockSpec) sample(header string) string {
	return header + " {\n" + assignments(s.attributes, "  ") + "}\n"
}

// assignments are the examples of attributes, a line for each, their equals signs aligned.
func assignments(attributes []attribute, indent string) string {
	width := 0
	for _, a := range attributes {
		width = max(width, len(a.name))
	}
	var out strings.Builder
	for _, a := range attributes {
		fmt.Fprintf(&out, "%s%-*s = %s\n", indent, width, a.name, a.example)
	}
	return out.String()
}
