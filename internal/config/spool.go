// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/policy"
)

// Spool says where files are held on the appliance until they are across the conduit.
type Spool struct {
	Dir       string        // absolute
	MaxSize   int64         // bytes; 0 is no bound
	MaxFiles  int           // files
	MinFree   int64         // bytes
	Keep      time.Duration // how long a delivered file is kept; 0: it is removed at once
	Workers   int           // files under way at a time, on each conduit, besides those that wait for bandwidth
	Recipient string        // of age, that what is held is encrypted to; or ""
	Identity  string        // file with the age identity that opens it, absolute; set where Recipient is
}

func spoolSpec() blockSpec {
	return blockSpec{
		name: "spool", count: "at most one; required where a rule says acknowledge = \"spooled\"",
		meaning: "Where files are held between the zones by rules that say acknowledge = \"spooled\"; see [spool](spool.md).",
		attributes: []attribute{
			{name: "dir", kind: kindPath, required: true, example: `"/var/lib/ftpgw/spool"`,
				meaning: "The directory of the spool. It is created where it is missing."},
			{name: "max_size", kind: kindSize, absent: "as much as the file system holds, less min_free", example: `"20GiB"`,
				meaning: "How many bytes of files are held at most, those kept after delivery included. An upload for which there is no room is refused with 452."},
			{name: "max_files", kind: kindNumber, fallback: "500000", example: "2000000",
				meaning: "How many files are held at most, 1 to 100000000, those kept after delivery included: each takes one to two kilobytes of memory, also an empty one. An upload beyond that is refused with 452."},
			{name: "min_free", kind: kindSize, fallback: "256MiB", example: `"2GiB"`,
				meaning: "What has to stay free on the file system of the spool. An upload that would take it below is refused with 452."},
			{name: "keep", kind: kindPeriod, absent: "a delivered file is removed at once", example: `"30d"`,
				meaning: "How long a file is kept as evidence after it was delivered."},
			{name: "workers", kind: kindNumber, fallback: "4", example: "8",
				meaning: "How many files are under way on each conduit at a time, 1 to 64, besides those that wait for the bandwidth of their rule. Files of one device for one directory follow one another in any case."},
			{name: "age_recipient", kind: kindText, absent: "files are held as they are", example: `"age1..."`,
				meaning: "The public key of [age](https://age-encryption.org) that files and their records are encrypted to while they are held. With age_identity only."},
			{name: "age_identity", kind: kindPath, absent: "age_recipient is absent", example: `"/run/credentials/ftpgw/spool.key"`,
				meaning: "The file of the age identity that opens them for delivery (made by age-keygen). It protects a stolen appliance only where it does not lie on the same disk."},
		},
	}
}

func (d *decoder) spool(block *hcl.Block) *Spool {
	b := d.open(spoolSpec(), block.Body, "", block.DefRange)
	s := &Spool{Dir: b.path("dir"), MaxSize: b.size("max_size"), MaxFiles: b.number("max_files", 1, 100_000_000), MinFree: b.size("min_free"), Keep: b.period("keep"), Workers: b.number("workers", 1, 64)}
	if text, ok := b.text("age_recipient"); ok {
		s.Recipient = text.text
		if err := b.checks.AgeRecipient(text.text); err != nil {
			b.invalid("age_recipient", text, err)
		}
	}
	s.Identity = b.path("age_identity")
	switch to, with := b.has("age_recipient"), b.has("age_identity"); {
	case to && !with:
		b.fail(b.valueRange("age_recipient"), "Missing age_identity", "What is encrypted to age_recipient must be opened for delivery: name the file of its identity with age_identity.")
	case with && !to:
		b.fail(b.valueRange("age_identity"), "Missing age_recipient", "age_identity opens what was encrypted to age_recipient, which is not set.")
	case with && s.Identity != "" && !b.checks.WithoutKeys:
		b.ageIdentity(s)
	}
	if info, err := os.Stat(s.Dir); err == nil && !info.IsDir() {
		b.fail(b.valueRange("dir"), "Unusable dir", "There is a file in the place of the spool's directory.")
	}
	return s
}

func (b body) ageIdentity(s *Spool) {
	at := b.valueRange("age_identity")
	info, err := os.Stat(s.Identity)
	switch {
	case err != nil:
		b.fail(at, "Unusable age_identity", "The age identity cannot be read: %s.", osReason(err))
	case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		b.fail(at, "Unusable age_identity", "The age identity may be used by others than its owner (mode %04o). Run: chmod 600 %s", info.Mode().Perm(), s.Identity)
	default:
		if err := b.checks.AgeIdentity(s.Identity, s.Recipient); err != nil {
			b.fail(at, "Unusable age_identity", "%s.", capital(err.Error()))
		}
	}
}

// longestPeriod bounds periods of keeping.
const longestPeriod = 100 * 365 * 24 * time.Hour

// parsePeriod reads a duration that may be long: as parseDuration, or a number of days such as "30d".
func parsePeriod(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(number)
		const day = 24 * time.Hour
		if err != nil || n < 1 || n > int(longestPeriod/day) {
			return 0, fmt.Errorf("%q is not a number of days, such as \"30d\"", text)
		}
		return time.Duration(n) * day, nil
	}
	p, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a period; write a number with a unit, such as \"12h\" or \"30d\"", text)
	case p <= 0 || p > longestPeriod:
		return 0, errors.New("a period is above zero and at most 36500d")
	}
	return p, nil
}

func (b body) period(name string) time.Duration {
	text, ok := b.text(name)
	if !ok {
		return 0
	}
	p, err := parsePeriod(text.text)
	if err != nil {
		b.invalid(name, text, err)
	}
	return p
}

// hold reads what a rule says about files that are held in the spool.
func (b body) hold(delivery *policy.Delivery, spooling bool) {
	delivery.Acknowledge = policy.Acknowledge(b.word("acknowledge", string(policy.Delivered), string(policy.Spooled)))
	spooled := delivery.Acknowledge == policy.Spooled
	if spooled && !spooling && !b.unsure["spool"] {
		b.fail(b.valueRange("acknowledge"), "Missing spool", "acknowledge = \"spooled\" promises a device that its file is kept on the appliance, and there is no spool block that says where: spool { dir = \"spool\" }.")
	}
	delivery.Offline = policy.Offline(b.word("offline", string(policy.ShowSpool), string(policy.RefuseOffline)))
	delivery.Set = policy.SetKind(b.word("set", string(policy.ComtradeSet)))
	delivery.SetTimeout = b.duration("set_timeout")
	delivery.SetOverdue = policy.Overdue(b.word("set_overdue", string(policy.PublishOverdue), string(policy.HoldOverdue)))
	for _, name := range []string{"offline", "set", "set_timeout", "set_overdue"} {
		if b.has(name) && !spooled {
			b.fail(b.valueRange(name), "Nothing is held", "%s is about files that are held on the appliance, and acknowledge is not \"spooled\".", name)
		}
	}
	for _, name := range []string{"set_timeout", "set_overdue"} {
		if b.has(name) && spooled && !b.has("set") {
			b.fail(b.valueRange(name), "No set", "%s is about sets of files. Name the kind of set: set = \"comtrade\".", name)
		}
	}
	if delivery.Set == policy.NoSet {
		delivery.SetTimeout, delivery.SetOverdue = 0, ""
	}
	if !spooled {
		delivery.Offline = ""
	}
}
