// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/policy"
)

// Group is a name for several devices.
type Group struct {
	Name    string
	Devices []policy.Glob
}

func groupSpec() blockSpec {
	return blockSpec{
		name: "group", label: "name of the group", count: "any number",
		meaning: "A name for several devices, for rules to refer to.",
		attributes: []attribute{
			{name: "devices", kind: kindPatterns, required: true, example: `["relay-*", "meter-7"]`,
				meaning: "Names of the devices that belong to the group. Every pattern must match a device of the configuration."},
		},
	}
}

func (d *decoder) group(block *hcl.Block, known names) Group {
	b := d.open(groupSpec(), block.Body, block.Labels[0], block.DefRange)
	return Group{Name: b.label, Devices: b.labels("devices", "device", known.devices)}
}

// subjects are the devices as the policy knows them.
func (c *Config) subjects() []policy.Device {
	var list []policy.Device
	for _, d := range c.Devices {
		s := policy.Device{Name: d.Name, Labels: d.Labels, Limits: d.Limits}
		for _, g := range c.Groups {
			if slices.ContainsFunc(g.Devices, func(p policy.Glob) bool { return p.Match(d.Name) }) {
				s.Groups = append(s.Groups, g.Name)
			}
		}
		list = append(list, s)
	}
	return list
}

// labelNames are the names of all labels that devices have, sorted.
func (c *Config) labelNames() []string {
	var list []string
	for _, d := range c.Devices {
		for name := range d.Labels {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
