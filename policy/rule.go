// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// Rule is one rule as it is written in the configuration. An empty list of conditions is no condition.
type Rule struct {
	Name   string
	Reason string

	// Devices and Groups name the subjects together: it is enough to be among one of them.
	Devices []Glob         // labels of devices
	Groups  []Glob         // labels of groups
	Zones   []Glob         // labels of zones
	From    []netip.Prefix // addresses of devices
	// TLS is what the control connection must be; Certificates match names in the device's client certificate, one of which is enough.
	TLS          Protection
	Certificates []Glob

	Paths       []Glob // paths as the device sees them
	ExceptPaths []Glob // paths that the rule is not about
	Names       []Glob // the last part of the path
	MinSize     int64  // bytes; 0 is no bound
	MaxSize     int64  // bytes; 0 is no bound
	// Types are names of types, one of which the content of an upload or append is; empty is any. Other operations bring no file:
	// for them a permission that hangs on it does not hold, and a denial does.
	Types []string

	Window *Window    // nil is always
	When   *Condition // nil is always true

	Ops     []Operation
	Deny    bool // the rule denies Ops instead of allowing them
	Deliver Delivery
	Content *Content // what must be in the files; nil is anything
	Limits  *Limits  // how much may be moved under the rule; nil is any amount
	// PathTemplate says under which path an upload is published; nil is the one that the device gave.
	PathTemplate *Template
}

// Protection is a condition on the control connection.
type Protection string

// AnyProtection is no condition. UnderTLS and InClear are what they say.
const (
	AnyProtection Protection = ""
	UnderTLS      Protection = "tls"
	InClear       Protection = "clear"
)

// Device is what a policy knows of a device besides its name.
type Device struct {
	Name   string
	Groups []string          // labels of the groups that it belongs to
	Labels map[string]string // attributes for conditions
	Limits *Limits           // how much the device may move, under all rules together; nil is any amount
}

// check says what is wrong with a rule.
func (r *Rule) check() error {
	switch {
	case r.Reason == "":
		return fmt.Errorf("rule %q has no reason", r.Name)
	case len(r.Ops) == 0:
		return fmt.Errorf("rule %q is over no operation", r.Name)
	case !r.Deny && r.Deliver.Conduit == "":
		return fmt.Errorf("rule %q allows but names no conduit", r.Name)
	case r.MaxSize > 0 && r.MinSize > r.MaxSize:
		return fmt.Errorf("rule %q: min_size %d is above max_size %d", r.Name, r.MinSize, r.MaxSize)
	case len(r.Types) > 0 && slices.Contains(r.Ops, Download):
		return fmt.Errorf("rule %q is about the type of downloads, which is not known before they are sent", r.Name)
	case r.Window != nil && r.Window.Location == nil:
		return fmt.Errorf("rule %q has a window without a time zone", r.Name)
	}
	return nil
}

// opSet is a set of operations, one bit each.
type opSet uint16

// bit is the set of one operation; of an unknown one it is empty, so that no rule is about it.
func bit(op Operation) opSet {
	for i, known := range Operations() {
		if op == known {
			return 1 << i
		}
	}
	return 0
}

func setOf(ops []Operation) opSet {
	var set opSet
	for _, op := range ops {
		set |= bit(op)
	}
	return set
}
