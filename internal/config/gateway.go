// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/policy"
)

// Config is a whole configuration.
type Config struct {
	Gateway  Gateway
	Limits   Limits
	Zones    []Zone
	Conduits []Conduit
	Audit    Audit
	Spool    *Spool // nil where there is none
	Devices  []Device
	Groups   []Group
	Policy   *policy.Policy

	Island     bool // nothing crosses
	IslandMode IslandMode

	Parts  []Part   // for Changes
	Files  []string // what was read, in order, as Load was told
	Lists  []string // further files whose content is part of the configuration, absolute
	Digest string   // hex SHA-256 over the files' base names and contents
}

// Gateway is what concerns the program as a whole.
type Gateway struct {
	ShutdownGrace time.Duration // how long running transfers may go on after SIGTERM
	StateDir      string        // absolute; the appliance's own state, which is not evidence
	Sandbox       string        // SandboxRequired, SandboxBestEffort or SandboxOff
	Forwarding    string        // ForwardingWarn or ForwardingRefuse
	Control       string        // socket for operators, absolute
}

// How much the gateway insists on being confined by the kernel.
const (
	SandboxRequired   = "required"
	SandboxBestEffort = "best-effort"
	SandboxOff        = "off"
)

// What a gateway does on a machine that forwards packets.
const (
	ForwardingWarn   = "warn"
	ForwardingRefuse = "refuse"
)

func gatewaySpec() blockSpec {
	return blockSpec{
		name: "gateway", count: "at most one",
		meaning: "What concerns the program as a whole.",
		attributes: []attribute{
			{name: "shutdown_grace", kind: kindDuration, fallback: "30s", example: `"2m"`,
				meaning: "How long running transfers may go on after SIGTERM before they are broken off."},
			{name: "state_dir", kind: kindPath, absent: "the directory state beside the directory of the audit log", example: `"/var/lib/ftpgw/state"`,
				meaning: "The directory of what the gateway keeps for itself from one run to the next, and of its control socket. It is created where it is missing, for its owner alone, and is used by one gateway at a time."},
			{name: "sandbox", kind: kindText, fallback: SandboxBestEffort, example: `"required"`,
				meaning: "At start the gateway has the kernel (Landlock) confine it to the files and TCP ports that the configuration names. `\"best-effort\"`: as far as the kernel can, with a line in the log that says how far. `\"required\"`: it does not start where files and TCP ports cannot both be confined (Linux before 6.7). `\"off\"`: it is not confined. See [hardening](hardening.md)."},
			{name: "forwarding", kind: kindText, fallback: ForwardingWarn, example: `"refuse"`,
				meaning: "What happens on a machine that forwards IP packets from one of its interfaces to another, past the gateway. `\"warn\"`: a warning in the log and a record. `\"refuse\"`: the gateway does not start."},
			{name: "control", kind: kindPath, absent: "control.sock in the state directory", example: `"/run/ftpgw/control.sock"`,
				meaning: "The socket at which `ftpgw reload`, `island`, `status` and the like find the running gateway. Only root and the user that the gateway runs as are heard there."},
		},
	}
}

func (d *decoder) gateway(block *hcl.Block) Gateway {
	b := d.open(gatewaySpec(), block.Body, "", block.DefRange)
	g := Gateway{ShutdownGrace: b.duration("shutdown_grace"), StateDir: b.path("state_dir"), Control: b.path("control")}
	g.Sandbox = b.word("sandbox", SandboxRequired, SandboxBestEffort, SandboxOff)
	g.Forwarding = b.word("forwarding", ForwardingWarn, ForwardingRefuse)
	if g.StateDir == "" {
		return g
	}
	if info, err := os.Stat(g.StateDir); err == nil && !info.IsDir() {
		b.fail(b.valueRange("state_dir"), "Unusable state_dir", "There is a file in the place of this directory.")
	}
	return g
}

// placeState finds the state directory and the control socket where none was named. The directory stands beside the audit log, and
// so on a disk that can be written.
func (c *Config) placeState() {
	if c.Gateway.StateDir == "" && c.Audit.Dir != "" {
		c.Gateway.StateDir = filepath.Join(filepath.Dir(c.Audit.Dir), "state")
	}
	if c.Gateway.Control == "" && c.Gateway.StateDir != "" {
		c.Gateway.Control = filepath.Join(c.Gateway.StateDir, "control.sock")
	}
}

// separate sees to it that audit log, spool and state have a directory each: their files are locked, kept and believed differently.
func (d *decoder) separate(c *Config, blocks map[string]hcl.Blocks) {
	owner := map[string]string{c.Audit.Dir: "the audit log"}
	claim := func(dir, what string, named hcl.Blocks) {
		if other, taken := owner[dir]; taken && dir != "" {
			d.fail(named[0].DefRange, "Shared directory", "%s is the directory of %s and of %s. Give each its own.", dir, other, what)
			return
		}
		owner[dir] = what
	}
	claim(c.Gateway.StateDir, "the gateway's state (state_dir)", slices.Concat(blocks["gateway"], blocks["audit"]))
	if c.Spool != nil {
		claim(c.Spool.Dir, "the spool", blocks["spool"])
	}
}

// defaultGateway is what a configuration without a gateway block means.
func (d *decoder) defaultGateway() Gateway {
	return d.gateway(&hcl.Block{Type: "gateway", Body: hcl.EmptyBody()})
}

// config decodes the top level of all files, in their order, as one configuration.
func (d *decoder) config(files []*hcl.File) *Config {
	blocks, repeated := map[string]hcl.Blocks{}, map[string]hcl.Blocks{}
	spec := rootSpec()
	var roots []body
	for _, f := range files {
		root := d.open(spec, f.Body, "", hcl.Range{})
		roots = append(roots, root)
		for _, block := range root.content.Blocks {
			if d.admit(spec, block) {
				blocks[block.Type] = append(blocks[block.Type], block)
			} else {
				repeated[block.Type] = append(repeated[block.Type], block)
			}
		}
	}
	d.demand(blocks)

	c := &Config{Gateway: d.defaultGateway(), Limits: d.defaultLimits()}
	for _, block := range blocks["limits"] {
		c.Limits = d.limits(block)
	}
	for _, block := range blocks["gateway"] {
		c.Gateway = d.gateway(block)
	}
	for _, block := range blocks["audit"] {
		c.Audit = d.audit(block)
	}
	c.placeState()
	for _, block := range blocks["spool"] {
		c.Spool = d.spool(block)
	}
	d.separate(c, blocks)
	for _, block := range blocks["profile"] {
		d.profile(block)
	}
	d.zones(c, blocks["zone"])
	for _, block := range blocks["conduit"] {
		c.Conduits = append(c.Conduits, d.conduit(block))
	}
	d.devices(c, blocks["device"])
	known := c.names()
	for _, block := range blocks["group"] {
		c.Groups = append(c.Groups, d.group(block, known))
		known.groups = append(known.groups, block.Labels[0])
	}
	d.inspect(repeated, known)
	d.rules(c, blocks["rule"], known)
	d.island(c, roots, len(blocks["spool"]) > 0)
	c.Parts = d.parts(files)
	return c
}

// inspect looks for further mistakes in blocks that are not used because they repeat others.
func (d *decoder) inspect(repeated map[string]hcl.Blocks, known names) {
	for kind, blocks := range repeated {
		for _, block := range blocks {
			switch kind {
			case "zone":
				d.zone(block)
			case "conduit":
				d.conduit(block)
			case "device":
				d.device(block)
			case "rule":
				d.rule(block, known)
			case "group":
				d.group(block, known)
			case "profile":
				d.profile(block)
			case "audit":
				d.audit(block)
			case "spool":
				d.spool(block)
			case "gateway":
				d.gateway(block)
			case "limits":
				d.limits(block)
			}
		}
	}
}

// admit checks a block's label, and that the block does not repeat one.
func (d *decoder) admit(spec blockSpec, block *hcl.Block) bool {
	for _, kind := range spec.blocks {
		if kind.name != block.Type || kind.count == "" {
			continue
		}
		if kind.label != "" {
			if err := checkLabel(block.Labels[0]); err != nil {
				d.fail(block.LabelRanges[0], "Invalid label", "%s.", capital(err.Error()))
			}
		}
		return d.once(kind, block)
	}
	return false
}

// demand reports kinds of blocks without which a gateway makes no sense.
func (d *decoder) demand(blocks map[string]hcl.Blocks) {
	for _, need := range []blockSpec{zoneSpec(), conduitSpec(), auditSpec()} {
		if len(blocks[need.name]) > 0 || d.broken || d.unsure[need.name] {
			continue
		}
		header := need.name
		if need.label != "" {
			header += ` "NAME"`
		}
		d.fail(hcl.Range{}, "Missing "+need.name, "The configuration has no %s block: %s { ... }. %s", need.name, header, need.meaning)
	}
}

func (d *decoder) zones(c *Config, blocks hcl.Blocks) {
	var entries []zoneEntry
	for _, block := range blocks {
		z := d.zone(block)
		entries = append(entries, z)
		c.Zones = append(c.Zones, z.Zone)
	}
	d.compareZones(entries)
}

func (d *decoder) devices(c *Config, blocks hcl.Blocks) {
	var entries []deviceEntry
	for _, block := range blocks {
		e := d.device(block)
		entries = append(entries, e)
		c.Devices = append(c.Devices, e.Device)
	}
	d.compareDevices(entries)
	d.compareCertificates(entries, c.Zones)
}

// names collects the labels that rules can refer to.
func (c *Config) names() names {
	known := names{language: policy.NewLanguage(c.labelNames()), spool: c.Spool != nil}
	for _, z := range c.Zones {
		known.zones = append(known.zones, z.Name)
	}
	for _, k := range c.Conduits {
		known.conduits = append(known.conduits, k.Name)
	}
	for _, e := range c.Devices {
		known.devices = append(known.devices, e.Name)
	}
	return known
}

func (d *decoder) rules(c *Config, blocks hcl.Blocks, known names) {
	var rules []policy.Rule
	for _, block := range blocks {
		rules = append(rules, d.rule(block, known))
	}
	if d.diags.HasErrors() {
		return
	}
	p, err := policy.New(rules, c.subjects()...)
	if err != nil {
		d.fail(hcl.Range{}, "Invalid policy", "%s.", capital(err.Error()))
	}
	c.Policy = p
}
