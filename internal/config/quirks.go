// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"net/netip"
	"strconv"

	"github.com/hashicorp/hcl/v2"
)

// Flag is a yes or a no that may be left open.
type Flag uint8

// The zero Flag is open.
const (
	Open Flag = iota
	Yes
	No
)

// String is for tests and diagnostics.
func (f Flag) String() string { return [...]string{"", "yes", "no"}[min(f, No)] }

// Quirks are the ways in which a device is met halfway. The zero value of a field leaves it open: a device that leaves something
// open gets what its zone says, and where that says nothing, what the RFCs say.
type Quirks struct {
	ASCII          string     // "verbatim", "convert" or "refuse"
	MkdExisting    int        // 257, 521 or 550
	MakeParents    Flag       // on upload and MKD
	Listing        string     // "unix" or "dos"
	SingleLine     Flag       // no replies of several lines
	Feat           Flag       // No: FEAT is not known
	NameCase       string     // "as-is", "lower" or "upper"
	Backslashes    Flag       // they are slashes
	Superfluous    int        // 202 or 200
	StatLists      Flag       // STAT alone is a listing
	PassiveAddress netip.Addr // IPv4
}

// or fills what q leaves open from base.
func (q Quirks) or(base Quirks) Quirks {
	return Quirks{
		ASCII:          cmp.Or(q.ASCII, base.ASCII),
		MkdExisting:    cmp.Or(q.MkdExisting, base.MkdExisting),
		MakeParents:    cmp.Or(q.MakeParents, base.MakeParents),
		Listing:        cmp.Or(q.Listing, base.Listing),
		SingleLine:     cmp.Or(q.SingleLine, base.SingleLine),
		Feat:           cmp.Or(q.Feat, base.Feat),
		NameCase:       cmp.Or(q.NameCase, base.NameCase),
		Backslashes:    cmp.Or(q.Backslashes, base.Backslashes),
		Superfluous:    cmp.Or(q.Superfluous, base.Superfluous),
		StatLists:      cmp.Or(q.StatLists, base.StatLists),
		PassiveAddress: cmp.Or(q.PassiveAddress, base.PassiveAddress),
	}
}

// leftOpen is the absent text of every quirk; in the end is the value that holds when nobody says anything.
func leftOpen(inTheEnd string) string {
	return "the device's profile, then the zone, then the zone's profile decide; in the end " + inTheEnd
}

func asciiAttribute() attribute {
	return attribute{name: "ascii", kind: kindText, absent: leftOpen("`\"verbatim\"`"), example: `"convert"`,
		meaning: "What transfers of type A do. `\"verbatim\"`: the bytes pass unaltered, and the record says that ASCII was asked for. `\"convert\"`: line endings are converted (CR LF on the wire, LF in the file); what is not text is refused with 550 and not published; REST and SIZE need TYPE I. `\"refuse\"`: TYPE A is answered with 504."}
}

func profileAttribute(whose string) attribute {
	return attribute{name: "profile", kind: kindText, absent: "none", example: `"generic-rtu"`,
		meaning: "The name of a profile block, whose quirks hold " + whose + "."}
}

// quirkAttributes are those that profiles and the quirks blocks of devices share. What each is good for stands in docs/ftp.md.
func quirkAttributes() []attribute {
	return []attribute{
		{name: "mkd_existing", kind: kindNumber, absent: leftOpen("`550`"), example: "257",
			meaning: "The code that answers MKD of a directory that exists: 550, 521 (RFC 959, appendix II) or 257, as if it had been made now."},
		{name: "make_parents", kind: kindFlag, absent: leftOpen("`false`"), example: "true",
			meaning: "Directories that are missing above an uploaded file or a new directory are made. The rules must allow mkdir for each of them."},
		{name: "listing", kind: kindText, absent: leftOpen("`\"unix\"`"), example: `"dos"`,
			meaning: "The form of LIST and STAT: `\"unix\"` as of ls -l, `\"dos\"` as of Windows; SYST answers accordingly."},
		{name: "single_line", kind: kindFlag, absent: leftOpen("`false`"), example: "true",
			meaning: "Replies of several lines are made one short line. FEAT, HELP, MLST and STAT lose what does not fit."},
		{name: "feat", kind: kindFlag, absent: leftOpen("`true`"), example: "false",
			meaning: "Whether FEAT is known. If not it is answered with 502, so that the device uses no extensions."},
		{name: "name_case", kind: kindText, absent: leftOpen("`\"as-is\"`"), example: `"lower"`,
			meaning: "What becomes of the letters in names that the device sends: `\"as-is\"`, `\"lower\"` or `\"upper\"`. Rules see the result."},
		{name: "backslashes", kind: kindFlag, absent: leftOpen("`false`"), example: "true",
			meaning: "A backslash in a name that the device sends is a slash. Rules see the result."},
		{name: "superfluous", kind: kindNumber, absent: leftOpen("`202`"), example: "200",
			meaning: "The code for commands that are superfluous here (ACCT): 202, or 200 for devices that take any other code for a failure."},
		{name: "stat_lists", kind: kindFlag, absent: leftOpen("`false`"), example: "true",
			meaning: "STAT without an argument lists the current directory instead of describing the session."},
		{name: "passive_address", kind: kindAddress, absent: leftOpen("the zone's passive_address, or the address at which the device reached the gateway"), example: `"192.0.2.10"`,
			meaning: "The IPv4 address that the reply to PASV names."},
	}
}

// quirks reads the attributes of quirkAttributes.
func (b body) quirks() Quirks {
	return Quirks{
		MkdExisting: b.code("mkd_existing", 257, 521, 550),
		MakeParents: b.openFlag("make_parents"),
		Listing:     b.choice("listing", "unix", "dos"),
		SingleLine:  b.openFlag("single_line"),
		Feat:        b.openFlag("feat"),
		NameCase:    b.choice("name_case", "as-is", "lower", "upper"),
		Backslashes: b.openFlag("backslashes"),
		Superfluous: b.code("superfluous", 200, 202),
		StatLists:   b.openFlag("stat_lists"),

		PassiveAddress: b.passiveAddress(),
	}
}

func (b body) ascii() string { return b.choice("ascii", "verbatim", "convert", "refuse") }

// openFlag is true, false or left open.
func (b body) openFlag(name string) Flag {
	text, ok := b.text(name)
	switch {
	case !ok:
	case text.text == "true":
		return Yes
	case text.text == "false":
		return No
	default:
		b.fail(text.at, "Invalid "+name, "%q is neither true nor false.", text.text)
	}
	return Open
}

// code is one of a few reply codes, or 0.
func (b body) code(name string, codes ...int) int {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	var words []string
	for _, c := range codes {
		if words = append(words, strconv.Itoa(c)); words[len(words)-1] == text.text {
			return c
		}
	}
	b.fail(text.at, "Invalid "+name, "%q is not a code that can be given here. %s", text.text, enumerate("codes", words))
	return 0
}

// passiveAddress is an address for the reply to PASV.
func (b body) passiveAddress() netip.Addr {
	text, ok := b.text("passive_address")
	if !ok {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text.text)
	if err != nil || !a.Is4() || a.IsUnspecified() {
		b.fail(text.at, "Invalid passive_address", "%q is not an IPv4 address that devices can connect to. Only PASV names an address (RFC 959), and it has room for IPv4 alone; EPSV needs none (RFC 2428).", text.text)
		return netip.Addr{}
	}
	return a
}

// quirksBlock reads the quirks block in a device.
func (b body) quirksBlock() Quirks {
	blocks := b.content.Blocks.OfType("quirks")
	if len(blocks) == 0 {
		return Quirks{}
	}
	for _, extra := range blocks[1:] {
		b.fail(extra.DefRange, "Duplicate quirks", "The quirks block was already defined at %s.", place(blocks[0].DefRange))
	}
	return b.open(quirksSpec(), blocks[0].Body, "", blocks[0].DefRange).quirks()
}

func quirksSpec() blockSpec {
	return blockSpec{
		name: "quirks", count: "at most one",
		meaning:    "How this one device is met halfway. What is written here goes before the device's profile.",
		attributes: quirkAttributes(),
	}
}

func profileSpec() blockSpec {
	return blockSpec{
		name: "profile", label: "name of the profile", count: "any number",
		meaning:    "How devices of one kind are met halfway where they are wrong. A device refers to it with profile. A zone that refers to one has it in force before login, when the device is not yet known, and for whatever its devices leave open.",
		attributes: append([]attribute{asciiAttribute()}, quirkAttributes()...),
	}
}

// profile reads a profile block and keeps it for those who refer to it.
func (d *decoder) profile(block *hcl.Block) {
	b := d.open(profileSpec(), block.Body, block.Labels[0], block.DefRange)
	q := b.quirks()
	q.ASCII = b.ascii()
	if _, repeated := d.profiles[b.label]; !repeated {
		d.profiles[b.label] = q
	}
}

// fromProfile is the quirks of the profile that a zone or device names.
func (b body) fromProfile() Quirks {
	text, ok := b.text("profile")
	if !ok {
		return Quirks{}
	}
	q, known := b.profiles[text.text]
	if !known && !b.broken && !b.unsure["profile"] {
		var names []string
		for name := range b.profiles {
			names = append(names, name)
		}
		b.fail(text.at, "Unknown profile", "There is no profile %q. %s", text.text, Suggest(text.text, "profiles", names))
	}
	return q
}
