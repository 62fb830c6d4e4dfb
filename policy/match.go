// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"path"
	"slices"
)

type outcome uint8

const (
	notMatched outcome = iota
	matched
	pending
	failed // its condition could not be evaluated; the rule denies
)

// condition names the part of a rule that a question failed, in the order in which they are tried.
type condition string

const (
	conditionOp     condition = "operation"
	conditionDevice condition = "devices"
	conditionZone   condition = "zones"
	conditionFrom   condition = "from"
	conditionTLS    condition = "tls"
	conditionCert   condition = "certificates"
	conditionPath   condition = "paths"
	conditionExcept condition = "except_paths"
	conditionName   condition = "names"
	conditionWindow condition = "window"
	conditionSize   condition = "size"
	conditionType   condition = "types"
	conditionWhen   condition = "when"
)

// inquiry is a Question on its way through the rules, with what is worked out once for all of them.
type inquiry struct {
	Question
	op      opSet
	name    string   // the last part of the path
	subject *subject // nil where the policy does not know the device
	scope   *scope   // the variables of conditions; nil until the first condition asks
}

// device is what the policy knows of the device; nil where it knows nothing.
func (in *inquiry) device() *Device {
	if in.subject == nil {
		return nil
	}
	return in.subject.Device
}

func (p *Policy) inquire(q Question) inquiry {
	return inquiry{Question: q, op: bit(q.Op), name: path.Base(q.Path), subject: p.index.subjects[q.Device]}
}

// match tries the conditions from the cheapest to the dearest and names the first that fails; where none fails, the first that is
// pending.
func (r *compiled) match(in *inquiry) (outcome, condition) {
	if r.ops&in.op == 0 {
		return notMatched, conditionOp
	}
	if c := r.matchSubject(in); c != "" {
		return notMatched, c
	}
	if c := r.matchObject(in); c != "" {
		return notMatched, c
	}
	size := matched
	if in.Op.transfers() {
		size = r.matchSize(in.Size)
	}
	kind := r.matchType(in)
	switch {
	case size == notMatched:
		return notMatched, conditionSize
	case kind == notMatched:
		return notMatched, conditionType
	case !r.Window.Open(in.Time):
		return notMatched, conditionWindow
	}
	switch when := r.matchWhen(in); {
	case when != matched:
		return when, conditionWhen
	case size == pending:
		return pending, conditionSize
	case kind == pending:
		return pending, conditionType
	}
	return matched, ""
}

// awaits is what a rule waits for of which the condition is the first that is pending. One of its own can wait for the size only.
func (r *compiled) awaits(in *inquiry, c condition) (u Unknown) {
	if c != conditionType {
		u |= UnknownSize
	}
	if r.matchType(in) == pending {
		u |= UnknownType
	}
	return u
}

// matchSubject tries the conditions about who asks; it returns the one that failed, or "".
func (r *compiled) matchSubject(in *inquiry) condition {
	switch {
	case in.subject != nil && !in.subject.about.has(r), in.subject == nil && !r.about(in.Device, nil):
		return conditionDevice
	case !matchAny(r.Zones, in.Zone):
		return conditionZone
	case !matchAddress(r.From, in.Peer):
		return conditionFrom
	case r.TLS != AnyProtection && (r.TLS == UnderTLS) != in.TLS:
		return conditionTLS
	case len(r.Certificates) > 0 && !slices.ContainsFunc(in.Certificate, func(name string) bool { return matchAny(r.Certificates, name) }):
		return conditionCert
	}
	return ""
}

// about reports whether the device is among the rule's devices or in one of its groups.
func (r *Rule) about(name string, d *Device) bool {
	if len(r.Devices) == 0 && len(r.Groups) == 0 {
		return true
	}
	if len(r.Devices) > 0 && matchAny(r.Devices, name) {
		return true
	}
	return d != nil && len(r.Groups) > 0 && slices.ContainsFunc(d.Groups, func(g string) bool { return matchAny(r.Groups, g) })
}

// matchObject tries the conditions about the path; it returns the one that failed, or "".
func (r *Rule) matchObject(in *inquiry) condition {
	switch {
	case !matchAny(r.Paths, in.Path):
		return conditionPath
	case len(r.ExceptPaths) > 0 && matchAny(r.ExceptPaths, in.Path):
		return conditionExcept
	case !matchAny(r.Names, in.name):
		return conditionName
	}
	return ""
}

func (r *Rule) matchSize(size int64) outcome {
	switch {
	case r.MinSize == 0 && r.MaxSize == 0:
		return matched
	case size == SizeUnknown:
		return pending
	case size < r.MinSize, r.MaxSize > 0 && size > r.MaxSize:
		return notMatched
	}
	return matched
}

// matchType looks at what is in the file. Where none is brought it is never known.
func (r *Rule) matchType(in *inquiry) outcome {
	switch {
	case len(r.Types) == 0:
		return matched
	case !in.Op.receives() && !r.Deny:
		return notMatched
	case !in.Op.receives():
		return matched
	case in.Type == "":
		return pending
	case slices.Contains(r.Types, in.Type):
		return matched
	}
	return notMatched
}

// matchWhen evaluates the rule's own condition. Where no file is moved, what is unknown stays so: then a permission that hangs on it
// does not hold, and a denial does.
func (r *Rule) matchWhen(in *inquiry) outcome {
	if r.When == nil {
		return matched
	}
	if in.scope == nil {
		in.scope = newScope(in)
	}
	result, err := r.When.evaluate(in.scope, r.location())
	switch {
	case err != nil:
		return failed
	case result == pending && !in.Op.transfers() && r.Deny:
		return matched
	case result == pending && !in.Op.transfers():
		return notMatched
	}
	return result
}

func matchAny(globs []Glob, name string) bool {
	if len(globs) == 0 {
		return true
	}
	for i := range globs {
		if globs[i].match(name) {
			return true
		}
	}
	return false
}

// matchAddress compares IPv4 addresses as such even where a dual-stack listener shows them as IPv4-mapped IPv6.
func matchAddress(prefixes []netip.Prefix, a netip.Addr) bool {
	if len(prefixes) == 0 {
		return true
	}
	a = a.Unmap()
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
