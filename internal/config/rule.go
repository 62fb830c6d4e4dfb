// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/policy"
)

func ruleSpec() blockSpec {
	return blockSpec{
		name: "rule", label: "name of the rule", count: "any number; the first that matches decides, in the order in which they stand",
		meaning: "One rule of the policy. A rule matches when all of its conditions do; a condition that is left out always does. Where no rule matches, the answer is no.",
		attributes: []attribute{
			{name: "reason", kind: kindText, required: true, example: `"PRC-002: disturbance records leave the station"`,
				meaning: "Why the rule exists. It stands in every record of a decision that the rule has made."},
			{name: "devices", kind: kindPatterns, absent: "any device", example: `["relay-*"]`,
				meaning: "Names of devices. Every pattern must match a device of the configuration. With groups, too, it is enough to be among the devices or in one of the groups."},
			{name: "groups", kind: kindPatterns, absent: "any device", example: `["relays"]`,
				meaning: "Names of groups. Every pattern must match a group of the configuration."},
			{name: "zones", kind: kindPatterns, absent: "any zone", example: `["bay-7"]`,
				meaning: "Names of zones. Every pattern must match a zone of the configuration."},
			{name: "from", kind: kindPrefixes, absent: "any address", example: `["10.7.0.0/24"]`,
				meaning: "The device's address."},
			{name: "tls", kind: kindFlag, absent: "either way", example: "true",
				meaning: "Whether the device's control connection is under TLS."},
			{name: "certificates", kind: kindPatterns, absent: "any certificate, or none", example: `["*.station.example"]`,
				meaning: "Names in the client certificate that the device has shown: the common name or a DNS name, in lower case. See client_ca of zones."},
			{name: "paths", kind: kindPatterns, absent: "any path", example: `["/events/**"]`,
				meaning: "The path as the device sees it."},
			{name: "except_paths", kind: kindPatterns, absent: "no exception", example: `["/events/private/**"]`,
				meaning: "Paths that the rule is not about although paths includes them."},
			{name: "names", kind: kindPatterns, absent: "any name", example: `["*.cfg", "*.dat"]`,
				meaning: "The last part of the path."},
			{name: "ignore_case", kind: kindFlag, fallback: "false", example: "true",
				meaning: "Whether paths, except_paths and names match whatever the case of the letters."},
			{name: "min_size", kind: kindSize, absent: "no bound", example: `"1 B"`,
				meaning: "The file is at least this large."},
			{name: "max_size", kind: kindSize, absent: "no bound", example: `"64MiB"`,
				meaning: "The file is at most this large. An upload that grows beyond it is broken off."},
			{name: "types", kind: kindNames, absent: "any type", example: `["comtrade", "text"]`,
				meaning: "What is in the file, whatever its name says; the types are those of content. It is known when the last byte of an upload has come, and the decision waits for it. Where the file is of another type the next rules are asked: content refuses instead. Of downloads it is never known, so that the rule cannot be about them; other operations bring no file, so that a permission that hangs on it does not hold for them, and a denial does."},
			{name: "between", kind: kindSpans, absent: "all day", example: `["22:00-04:00"]`,
				meaning: "Parts of the day. One that passes midnight belongs to the day on which it begins."},
			{name: "weekdays", kind: kindWeekdays, absent: "every day", example: `["sat", "sun"]`,
				meaning: "Days of the week."},
			{name: "not_before", kind: kindInstant, absent: "no bound", example: `"2026-03-01 06:00"`,
				meaning: "When the rule begins to hold."},
			{name: "not_after", kind: kindInstant, absent: "no bound", example: `"2026-03-01 18:00"`,
				meaning: "When the rule ceases to hold: the end of a maintenance window."},
			{name: "timezone", kind: kindText, fallback: "UTC", example: `"Europe/Berlin"`,
				meaning: "Where the clock hangs that between, weekdays, not_before, not_after and time in conditions are read from: a name of the IANA time zone database."},
			{name: "on_close", kind: kindText, fallback: "finish", example: `"abort"`,
				meaning: "What becomes of a transfer that began while the rule held when its window closes. `\"finish\"`: it may end. `\"abort\"`: it is broken off, and nothing of an upload is published."},
			{name: "when", kind: kindCondition, absent: "no condition", example: `device.labels.vendor == "SEL" && file.size < mib(64)`,
				meaning: "A condition of your own over device, zone, peer, file, transfer and time; see [policy](policy.md). What it needs and is not known when a transfer begins is decided when it is."},
			{name: "allow", kind: kindOperations, absent: "deny is given", example: `["upload", "list"]`,
				meaning: "The operations that the rule is about and allows. Exactly one of allow and deny is required."},
			{name: "deny", kind: kindOperations, absent: "allow is given", example: `["delete"]`,
				meaning: "The operations that the rule is about and denies."},
			{name: "incomplete", kind: kindText, fallback: string(policy.RemoveIncomplete), example: `"keep"`,
				meaning: "What becomes of an upload under this rule that turns out not to be whole. `\"remove\"`: nothing of it remains. `\"keep\"`: what has come is moved aside, to the file's name with `.partial-` and the number of the transfer behind it. The final name is not touched in either case."},
		},
		blocks: []blockSpec{deliverSpec(), contentSpec(), expectSpec(), limitSpec(true)},
	}
}

// names are the labels that rules can refer to.
type names struct {
	zones, conduits, devices, groups []string
	language                         *policy.Language
	spool                            bool // whether there is one
}

func (d *decoder) rule(block *hcl.Block, known names) policy.Rule {
	b := d.open(ruleSpec(), block.Body, block.Labels[0], block.DefRange)
	r := policy.Rule{Name: b.label, Reason: b.line("reason"), From: b.prefixes("from")}
	r.Devices = b.labels("devices", "device", known.devices)
	r.Zones = b.labels("zones", "zone", known.zones)
	r.Groups = b.labels("groups", "group", known.groups)
	if b.has("tls") {
		r.TLS = policy.InClear
		if b.flag("tls") {
			r.TLS = policy.UnderTLS
		}
	}
	r.Certificates = b.globs("certificates", func(policy.Glob) string { return "" })
	fold := b.flag("ignore_case")
	r.Paths = ignoreCase(fold, b.globs("paths", checkPathPattern))
	r.ExceptPaths = ignoreCase(fold, b.globs("except_paths", checkPathPattern))
	r.Names = ignoreCase(fold, b.globs("names", checkNamePattern))
	r.Window = b.window()
	r.When = b.condition("when", known.language)
	r.MinSize, r.MaxSize = b.size("min_size"), b.size("max_size")
	if r.MaxSize > 0 && r.MinSize > r.MaxSize {
		b.fail(b.valueRange("min_size"), "Sizes upside down", "min_size is above max_size: no file is that large and that small.")
	}
	r.Types = b.types("types")
	switch allow, deny := b.has("allow"), b.has("deny"); {
	case allow && deny:
		b.fail(b.valueRange("deny"), "Both allow and deny", "%s both allows and denies. Split it into two rules; the first that matches decides.", b.title())
	case !allow && !deny && !b.broken:
		b.fail(b.header, "Neither allow nor deny", "%s must say what it is about: allow = [...] or deny = [...], of the operations %s.", b.title(), strings.Join(operationNames(), ", "))
	}
	r.Ops, r.Deny = b.operations("allow"), b.has("deny")
	if r.Deny {
		r.Ops = b.operations("deny")
	}
	b.checkTypeOps(r)
	r.Deliver, r.PathTemplate = b.deliver(r.Deny, known)
	r.Content = b.fileContent(r.Deny, r.Ops)
	r.Limits = b.limit(r)
	r.Deliver.Expect, r.Deliver.Incomplete = b.expect(r.Ops), b.incomplete(r.Ops)
	if (r.Content != nil || len(r.Types) > 0) && r.Deliver.Incomplete == policy.KeepIncomplete {
		b.fail(b.valueRange("incomplete"), "Content and incomplete", "%s looks into files, and what is kept of an incomplete one nobody has looked into. Use incomplete = \"remove\".", b.title())
	}
	if x := r.Deliver.Expect; x != nil && x.Companion != nil && r.PathTemplate != nil {
		b.fail(b.header, "Companion and path", "%s looks for companions beside the file as the device names it, and its deliver.path publishes elsewhere. Use one of them.", b.title())
	}
	return r
}

// checkTypeOps finds types of files that do not come from devices.
func (b body) checkTypeOps(r policy.Rule) {
	switch {
	case len(r.Types) == 0 || len(r.Ops) == 0:
	case slices.Contains(r.Ops, policy.Download):
		b.fail(b.valueRange("types"), "Types of downloads", "What is in a file is found out while it comes from a device; of a download it is not known before it is sent. Leave download to a rule of its own.")
	case !slices.Contains(r.Ops, policy.Upload) && !slices.Contains(r.Ops, policy.Append):
		b.fail(b.valueRange("types"), "Unexpected types", "%s is about no operation that brings a file, so there is no content to look at.", b.title())
	}
}

func operationNames() []string {
	var list []string
	for _, op := range policy.Operations() {
		list = append(list, string(op))
	}
	return list
}

func (b body) operations(name string) []policy.Operation {
	var ops []policy.Operation
	for _, text := range b.list(name) {
		op, err := ParseOperation(text.text)
		if err != nil {
			b.fail(text.at, "Unknown operation", "%s", capital(err.Error()))
			continue
		}
		ops = append(ops, op)
	}
	return ops
}

// globs compiles the patterns of a list, each of which must pass check, which returns what is wrong in a sentence.
func (b body) globs(name string, check func(policy.Glob) string) []policy.Glob {
	var globs []policy.Glob
	for _, text := range b.list(name) {
		g, err := policy.CompileGlob(text.text)
		if err != nil {
			b.fail(text.at, "Invalid pattern", "%s.", capital(err.Error()))
			continue
		}
		if wrong := check(g); wrong != "" {
			b.fail(text.at, "Pattern without a match", "%s", wrong)
		}
		globs = append(globs, g)
	}
	return globs
}

// labels compiles patterns of labels. One that matches none of them is a mistake: the rule would never do what it seems to say.
func (b body) labels(name, kind string, known []string) []policy.Glob {
	return b.globs(name, func(g policy.Glob) string {
		if b.broken || b.unsure[kind] || slices.ContainsFunc(known, g.Match) {
			return ""
		}
		return "No " + kind + " matches \"" + g.String() + "\", so this could never apply. " + Suggest(g.String(), kind+"s", known)
	})
}

// checkPathPattern finds patterns that can match no path: devices' paths are absolute and clean.
func checkPathPattern(g policy.Glob) string {
	p := g.String()
	switch {
	case !strings.HasPrefix(p, "/") && p != "**" && !strings.HasPrefix(p, "**/"):
		return "Paths are absolute, so a pattern for them starts with \"/\" or \"**\": write \"/" + p + "\", or \"**/" + p + "\" for any directory."
	case p != "/" && hasSegment(strings.TrimPrefix(p, "/"), "", ".", ".."):
		return "Paths have no empty, \".\" or \"..\" parts, so \"" + p + "\" matches none. For all below a directory write \"/directory/**\"."
	}
	return ""
}

// checkNamePattern finds patterns that can match no name.
func checkNamePattern(g policy.Glob) string {
	if strings.Contains(g.String(), "/") {
		return "A name has no slash, so \"" + g.String() + "\" matches none. Patterns for whole paths stand in paths."
	}
	return ""
}

func ignoreCase(fold bool, globs []policy.Glob) []policy.Glob {
	for i := range globs {
		if fold {
			globs[i] = globs[i].IgnoringCase()
		}
	}
	return globs
}
