// SPDX-License-Identifier: Apache-2.0

package policy

import "net/netip"

// Rule is one rule as it is written in the configuration. An empty list of conditions is no condition.
type Rule struct {
	Name   string
	Reason string

	Devices []Glob         // labels of devices
	Zones   []Glob         // labels of zones
	From    []netip.Prefix // addresses of devices
	Paths   []Glob         // paths as the device sees them
	MinSize int64          // bytes; 0 is no bound
	MaxSize int64          // bytes; 0 is no bound

	Ops     []Operation
	Deny    bool // the rule denies Ops instead of allowing them
	Deliver Delivery
}
