// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/hashicorp/hcl/v2"

// Limits bound what all zones together can make the gateway hold or do.
type Limits struct {
	Connections    int // control connections
	Transfers      int // at a time, listings included
	PasswordChecks int // at a time; 0 is one for each processor
	PathLength     int // bytes
	PathDepth      int // names
	ListingEntries int
	Memory         int64 // bytes; 0 is nine tenths of what the system grants
}

func limitsSpec() blockSpec {
	return blockSpec{
		name: "limits", count: "at most one",
		meaning: "What all zones together can make the gateway hold or do. Each zone has further ones of its own. See [limits](limits.md).",
		attributes: []attribute{
			{name: "connections", kind: kindNumber, fallback: "4000", example: "500",
				meaning: "Control connections at a time. Where the system does not grant enough descriptors for them, there are fewer, and a warning at start."},
			{name: "transfers", kind: kindNumber, fallback: "500", example: "100",
				meaning: "Transfers at a time, listings included. One more is answered with 450, a listing with 451."},
			{name: "login_checks", kind: kindNumber, absent: "as many as there are processors, and two at least", example: "2",
				meaning: "Passwords that are checked at a time. One of these places is kept for devices that have logged in from their address before."},
			{name: "path_length", kind: kindNumber, fallback: "4096", example: "1024",
				meaning: "Length of a path in bytes, from the device's root on. A longer one is refused with 553."},
			{name: "path_depth", kind: kindNumber, fallback: "64", example: "16",
				meaning: "Names in a path. A deeper one is refused with 553."},
			{name: "listing_entries", kind: kindNumber, fallback: "50000", example: "10000",
				meaning: "Entries of a directory. One that has more is not listed: 550."},
			{name: "memory", kind: kindSize, absent: "nine tenths of what the cgroup grants; none where it grants all", example: `"256MiB"`,
				meaning: "What the program tries to stay below by collecting garbage more often (GOMEMLIMIT, which goes before it)."},
		},
	}
}

func (d *decoder) limits(block *hcl.Block) Limits {
	b := d.open(limitsSpec(), block.Body, "", block.DefRange)
	l := Limits{
		Connections: b.number("connections", 1, 100_000), Transfers: b.number("transfers", 1, 100_000),
		PasswordChecks: b.number("login_checks", 2, 1024), PathLength: b.number("path_length", 16, 4096), PathDepth: b.number("path_depth", 1, 64),
		ListingEntries: b.number("listing_entries", 1, 10_000_000), Memory: b.size("memory"),
	}
	const leastMemory = 32 << 20
	if l.Memory > 0 && l.Memory < leastMemory {
		b.fail(b.valueRange("memory"), "Invalid memory", "The program would do nothing but collect garbage. Give it 32MiB at least.")
	}
	return l
}

// defaultLimits is what a configuration without a limits block means.
func (d *decoder) defaultLimits() Limits {
	return d.limits(&hcl.Block{Type: "limits", Body: hcl.EmptyBody()})
}
