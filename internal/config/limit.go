// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ftpgw/ftpgw/policy"
)

// leastBandwidth in bytes per second: below it, devices take a transfer for dead.
const leastBandwidth = 1000

// most bounds counts of files and transfers: what is larger is a slip.
const most = 1_000_000_000

// limitSpec is the limit block of a device, or of a rule, which has one attribute more.
func limitSpec(ofRule bool) blockSpec {
	s := blockSpec{
		name: "limit", count: "at most one",
		meaning: "How much the device may move, by uploads, appends and downloads together and under whatever rule. An upload that was aborted does not count, what has been sent to the device always does. Counts are kept across restarts. See [policy](policy.md).",
		attributes: []attribute{
			{name: string(policy.MaxFile), kind: kindSize, absent: "no bound", example: `"64MiB"`,
				meaning: "The size of one file. A larger one is refused for good: with 552, a download with 550."},
			{name: string(policy.FilesPerHour), kind: kindNumber, absent: "no bound", example: "60",
				meaning: "Files in any 60 minutes. Beyond it a transfer is refused for now: with 452, a download with 450."},
			{name: string(policy.BytesPerDay), kind: kindSize, absent: "no bound", example: `"2GiB"`,
				meaning: "Bytes moved in any 24 hours. Beyond it as with files_per_hour; an upload that grows beyond it is broken off. A file that is larger by itself is refused for good."},
			{name: string(policy.Bandwidth), kind: kindRate, absent: "no bound", example: `"1MiB/s"`,
				meaning: "What all transfers together move in a second, both ways. They are slowed, not refused. A rule's is that of the way across the conduit, deliveries from the spool included, and what is read back of them (`verify`)."},
			{name: string(policy.Concurrent), kind: kindNumber, absent: "no bound", example: "2",
				meaning: "Transfers at a time. One more is refused with 450."},
		},
	}
	if ofRule {
		s.count = "at most one, in a rule that allows upload, append or download"
		s.meaning = "How much each device may move under the rule, counted as in the limit block of a device. It is no condition of the rule: what goes beyond it is refused, and no later rule is asked."
		s.attributes = append(s.attributes, attribute{name: "shared", kind: kindFlag, fallback: "false", example: "true",
			meaning: "Whether all devices together, and not each of them, may move so much."})
	}
	return s
}

// limits is the block's limits, or nil where there is none.
func (b body) limits(ofRule bool) *policy.Limits {
	blocks := b.content.Blocks.OfType("limit")
	if len(blocks) == 0 {
		return nil
	}
	for _, extra := range blocks[1:] {
		b.fail(extra.DefRange, "Duplicate limit", "The limit block was already defined at %s.", place(blocks[0].DefRange))
	}
	l := b.open(limitSpec(ofRule), blocks[0].Body, "", blocks[0].DefRange)
	limits := &policy.Limits{
		MaxFile: l.size(string(policy.MaxFile)), FilesPerHour: int64(l.number(string(policy.FilesPerHour), 1, most)),
		BytesPerDay: l.size(string(policy.BytesPerDay)), Bandwidth: l.rate(string(policy.Bandwidth)),
		Concurrent: int64(l.number(string(policy.Concurrent), 1, most)),
	}
	if ofRule {
		limits.Shared = l.flag("shared")
	}
	l.sensible(limits)
	return limits
}

// sensible finds limits that do not do what they seem to.
func (b body) sensible(l *policy.Limits) {
	if b.broken {
		return
	}
	given := slices.ContainsFunc([]policy.Limit{policy.MaxFile, policy.FilesPerHour, policy.BytesPerDay, policy.Bandwidth, policy.Concurrent},
		func(name policy.Limit) bool { return b.has(string(name)) })
	switch {
	case !given:
		b.fail(b.header, "Empty limit", "The block limits nothing. Give it at least one attribute, or leave it out.")
	case l.MaxFile > 0 && l.BytesPerDay > 0 && l.MaxFile > l.BytesPerDay:
		b.fail(b.valueRange(string(policy.MaxFile)), "Sizes upside down", "max_file is above bytes_per_day: a file that large could never pass.")
	case l.Shared && *l == policy.Limits{MaxFile: l.MaxFile, Shared: true} && l.MaxFile > 0:
		b.fail(b.valueRange("shared"), "Nothing to share", "max_file is about one file, so shared = true says nothing here. Leave it out.")
	}
}

// limit is the limits of a rule, which must be about something that moves files, and let some of them pass.
func (b body) limit(r policy.Rule) *policy.Limits {
	limits := b.limits(true)
	if limits == nil {
		return nil
	}
	at := b.content.Blocks.OfType("limit")[0].DefRange
	transfers := func(op policy.Operation) bool {
		return op == policy.Upload || op == policy.Append || op == policy.Download
	}
	switch {
	case b.broken:
	case r.Deny:
		b.fail(at, "Unexpected limit", "%s denies, so there is nothing to limit.", b.title())
	case len(r.Ops) > 0 && !slices.ContainsFunc(r.Ops, transfers):
		b.fail(at, "Unexpected limit", "%s allows neither upload nor append nor download, and a limit is about nothing else.", b.title())
	}
	// A day's bytes are enough for one such file where max_file is given: that is checked above.
	name, least := policy.BytesPerDay, limits.BytesPerDay
	if limits.MaxFile > 0 {
		name, least = policy.MaxFile, limits.MaxFile
	}
	if least > 0 && least < r.MinSize {
		b.fail(at, "Limit below min_size", "%s is about files of at least %d bytes, and its %s is %d bytes: no file could pass.", b.title(), r.MinSize, name, least)
	}
	return limits
}

// rate is a number of bytes per second above zero, or 0 where the attribute is absent.
func (b body) rate(name string) int64 {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	n, err := parseRate(text.text)
	if err != nil {
		b.invalid(name, text, err)
		return 0
	}
	if n < leastBandwidth {
		b.fail(text.at, "Invalid "+name, "%s is %d bytes per second, and below %d (8kbit/s) devices take a transfer for dead.", text.text, n, leastBandwidth)
	}
	return n
}

// parseRate reads a rate such as "1MiB/s" or "8Mbit/s" and returns it in bytes per second.
func parseRate(text string) (int64, error) {
	amount, perSecond := strings.CutSuffix(text, "/s")
	if bits, ok := strings.CutSuffix(amount, "bit"); ok && perSecond {
		return parseBits(text, bits)
	}
	n, err := ParseSize(amount)
	if !perSecond || strings.Trim(amount, "0123456789 ") == "" || err != nil {
		return 0, fmt.Errorf("%q is not a rate; write a whole number with a unit per second, such as \"1MiB/s\", \"500 kB/s\" or \"8Mbit/s\"", text)
	}
	return n, nil
}

// parseBits reads what stands before "bit/s". Prefixes are those of the SI, powers of 1000.
func parseBits(text, bits string) (int64, error) {
	digits := strings.TrimRight(bits, " kMG")
	factor, ok := map[string]int64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[strings.TrimSpace(bits[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || strings.HasPrefix(digits, "+") || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a rate; in bits it is written as \"64kbit/s\", \"8Mbit/s\" or \"1Gbit/s\"", text)
	}
	return n * factor / 8, nil
}
