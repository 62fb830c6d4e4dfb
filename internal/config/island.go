// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/hashicorp/hcl/v2"

// IslandMode says what devices can do while the gateway is an island.
type IslandMode string

// The modes.
const (
	IslandRefuse IslandMode = "refuse" // nothing: they get a 421
	IslandSpool  IslandMode = "spool"  // upload what stays in the spool
)

// islandAttributes stand at the top level of a configuration.
func islandAttributes() []attribute {
	return []attribute{
		{name: "island", kind: kindFlag, fallback: "false", example: `true`,
			meaning: "Nothing crosses any conduit, in either direction, and the conduits are not dialled. An island that is ordered here cannot be lifted with `ftpgw island off`."},
		{name: "island_mode", kind: kindText, fallback: string(IslandRefuse), example: `"spool"`,
			meaning: "What devices can do meanwhile. `\"refuse\"`: nothing, they get a 421. `\"spool\"`: upload what a rule acknowledges as spooled, which waits in the spool."},
	}
}

// island reads what stands at the top level, of which each attribute may be in one of the files.
func (d *decoder) island(c *Config, roots []body, spool bool) {
	first := map[string]hcl.Range{}
	c.IslandMode = IslandRefuse
	for _, b := range roots {
		for _, a := range islandAttributes() {
			attr, ok := b.content.Attributes[a.name]
			if !ok {
				continue
			}
			if earlier, seen := first[a.name]; seen {
				d.fail(attr.NameRange, "Duplicate "+a.name, "%s was already set at %s.", capital(a.name), place(earlier))
				continue
			}
			first[a.name] = attr.NameRange
			switch a.name {
			case "island":
				c.Island = b.flag(a.name)
			case "island_mode":
				c.IslandMode = IslandMode(b.choice(a.name, string(IslandRefuse), string(IslandSpool)))
				if c.IslandMode == IslandSpool && !spool && !d.broken && !d.unsure["spool"] {
					b.fail(b.valueRange(a.name), "No spool", "Nothing can wait in a spool that the configuration does not have: add a spool block, or leave the attribute out.")
				}
			}
		}
	}
}
