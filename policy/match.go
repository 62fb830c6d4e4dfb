// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"
)

type outcome uint8

const (
	notMatched outcome = iota
	matched
	pending
)

// condition names the part of a rule that a question failed, in the order in which they are tried.
type condition string

const (
	conditionOp     condition = "operation"
	conditionDevice condition = "devices"
	conditionZone   condition = "zones"
	conditionFrom   condition = "from"
	conditionPath   condition = "paths"
	conditionSize   condition = "size"
)

// match tries the conditions from the cheapest to the dearest and names the first that fails.
func (r *Rule) match(q *Question) (outcome, condition) {
	if !slices.Contains(r.Ops, q.Op) {
		return notMatched, conditionOp
	}
	if c := r.matchSubject(q); c != "" {
		return notMatched, c
	}
	if !matchAny(r.Paths, q.Path) {
		return notMatched, conditionPath
	}
	if !q.Op.transfers() {
		return matched, ""
	}
	return r.matchSize(q.Size)
}

// matchSubject tries the conditions about who asks; it returns the one that failed, or "".
func (r *Rule) matchSubject(q *Question) condition {
	switch {
	case !matchAny(r.Devices, q.Device):
		return conditionDevice
	case !matchAny(r.Zones, q.Zone):
		return conditionZone
	case !matchAddress(r.From, q.Peer):
		return conditionFrom
	}
	return ""
}

func (r *Rule) matchSize(size int64) (outcome, condition) {
	switch {
	case r.MinSize == 0 && r.MaxSize == 0:
		return matched, ""
	case size == SizeUnknown:
		return pending, conditionSize
	case size < r.MinSize, r.MaxSize > 0 && size > r.MaxSize:
		return notMatched, conditionSize
	}
	return matched, ""
}

func matchAny(globs []Glob, name string) bool {
	if len(globs) == 0 {
		return true
	}
	return slices.ContainsFunc(globs, func(g Glob) bool { return g.Match(name) })
}

// matchAddress compares IPv4 addresses as such even where a dual-stack listener shows them as IPv4-mapped IPv6.
func matchAddress(prefixes []netip.Prefix, a netip.Addr) bool {
	if len(prefixes) == 0 {
		return true
	}
	a = a.Unmap()
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
