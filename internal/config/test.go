// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/policy"
)

// testSuffix ends the names of files with tests of a policy.
const testSuffix = "_test.hcl"

// Test is a question with the answer that the policy is meant to give.
type Test struct {
	Name     string
	Where    string // file:line
	Question policy.Question
	Expect   policy.Verdict
	Rule     string // the rule that is meant to decide; empty is any
	Default  bool   // no rule is meant to decide
	To       string // where the upload is meant to be published; empty is not asked
}

func testSpec() blockSpec {
	return blockSpec{
		name: "test", label: "what is tested, in words", count: "any number",
		meaning: "A question, and the answer that the policy is meant to give.",
		attributes: []attribute{
			{name: "device", kind: kindText, required: true, example: `"relay-12"`, meaning: "The name of a device."},
			{name: "from", kind: kindAddress, absent: "the one address in the device's from", example: `"10.7.0.12"`, meaning: "The device's address. One that the device cannot log in from is denied."},
			{name: "zone", kind: kindText, absent: "the only zone", example: `"bay-7"`, meaning: "The name of a zone."},
			{name: "op", kind: kindText, required: true, example: `"upload"`, meaning: "The operation."},
			{name: "path", kind: kindText, required: true, example: `"/events/fault-0042.cfg"`, meaning: "The path as the device sees it."},
			{name: "size", kind: kindSize, absent: "not known yet", example: `"12kB"`, meaning: "The size of the file."},
			{name: "type", kind: kindText, absent: "not known yet", example: `"comtrade"`, meaning: "What is in the file of an upload or append."},
			{name: "declared_size", kind: kindSize, absent: "not announced", example: `"12kB"`, meaning: "The size that the device announces (ALLO)."},
			{name: "tls", kind: kindFlag, fallback: "false", example: "true", meaning: "Whether the control connection is under TLS."},
			{name: "certificate", kind: kindNames, absent: "none is shown", example: `["relay-12.station.example"]`, meaning: "The names in the client certificate."},
			{name: "ascii", kind: kindFlag, fallback: "false", example: "true", meaning: "Whether the device asks for type A."},
			{name: "at", kind: kindInstant, fallback: "2026-01-01T12:00:00Z", example: `"2026-03-06T23:00:00+01:00"`, meaning: "When it is asked. Without an offset the time is UTC."},
			{name: "expect", kind: kindText, required: true, example: `"deny"`, meaning: "The answer: `allow`, `deny`, or `pending` where it hangs on a size or a type that is not known yet."},
			{name: "rule", kind: kindText, absent: "whichever", example: `"no-settings"`, meaning: "The name of the rule that decides. `\"\"`: none does, it is denied by default."},
			{name: "to", kind: kindText, absent: "wherever", example: `"/records/relay-12/fault-0042.cfg"`, meaning: "Where the file is published, below the conduit's root, by a rule with deliver.path."},
		},
	}
}

// LoadTests reads the tests beside the configuration: those of the file NAME.hcl from NAME_test.hcl, those of a directory from all
// files in it whose names end so. Where they are wrong the error is a *DiagnosticsError. That there is none is an error.
func LoadTests(where string, c *Config) ([]Test, error) {
	pattern := filepath.Join(where, "*"+testSuffix)
	if info, err := os.Stat(where); err == nil && !info.IsDir() {
		pattern = strings.TrimSuffix(where, ".hcl") + testSuffix
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, fmt.Errorf("there are no tests: no file %s", pattern))
	}
	var sources []source
	for _, name := range files {
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source{name: name, text: text})
	}
	return parseTests(pattern, sources, c)
}

func parseTests(where string, sources []source, c *Config) ([]Test, error) {
	d := &decoder{unsure: map[string]bool{}, first: map[string]hcl.Range{}, texts: map[string][]byte{}}
	byName := map[string]*hcl.File{}
	root := blockSpec{blocks: []blockSpec{testSpec()}}
	var tests []Test
	for _, s := range sources {
		file, diags := d.parseFile(s)
		d.diags = append(d.diags, diags...)
		byName[s.name], d.texts[s.name] = file, s.text
		for _, block := range d.open(root, file.Body, "", hcl.Range{}).content.Blocks {
			if d.once(testSpec(), block) {
				tests = append(tests, d.test(block, c))
			}
		}
	}
	if len(d.diags) > 0 {
		order(d.diags, sources)
		return nil, &DiagnosticsError{path: where, diags: d.diags, files: withoutSecrets(byName)}
	}
	return tests, nil
}

func (d *decoder) test(block *hcl.Block, c *Config) Test {
	b := d.open(testSpec(), block.Body, block.Labels[0], block.DefRange)
	t := Test{Name: b.label, Where: place(block.DefRange)}
	t.Question = policy.Question{Size: policy.SizeUnknown, Declared: policy.SizeUnknown, ASCII: b.flag("ascii"), TLS: b.flag("tls"), Time: b.instant("at", time.UTC)}
	for _, text := range b.list("certificate") {
		t.Question.Certificate = append(t.Question.Certificate, text.text)
	}
	b.testSubject(&t.Question, c)
	if text, ok := b.text("op"); ok {
		var err error
		if t.Question.Op, err = ParseOperation(text.text); err != nil {
			b.fail(text.at, "Unknown operation", "%s", capital(err.Error()))
		}
	}
	if text, ok := b.text("path"); ok {
		t.Question.Path = text.text
		if !strings.HasPrefix(text.text, "/") || path.Clean(text.text) != text.text {
			b.fail(text.at, "Invalid path", "%q is not a path as rules see them: absolute, without empty, \".\" or \"..\" parts.", text.text)
		}
	}
	if text, ok := b.text("size"); ok {
		t.Question.Size = b.testSize("size", text)
	}
	if text, ok := b.text("type"); ok {
		b.checkType(text)
		t.Question.Type = text.text
	}
	if text, ok := b.text("declared_size"); ok {
		t.Question.Declared = b.testSize("declared_size", text)
	}
	b.testAnswer(&t, c)
	return t
}

// testSize is a size, of which zero is one.
func (b body) testSize(name string, text located) int64 {
	n, err := ParseSize(text.text)
	if err != nil {
		b.invalid(name, text, err)
	}
	return n
}

// testSubject reads who asks, and from where.
func (b body) testSubject(q *policy.Question, c *Config) {
	known := c.names()
	if text, ok := b.text("zone"); ok {
		q.Zone = text.text
		if !slices.Contains(known.zones, q.Zone) {
			b.fail(text.at, "Unknown zone", "There is no zone %q. %s", q.Zone, Suggest(q.Zone, "zones", known.zones))
		}
	} else if len(known.zones) == 1 {
		q.Zone = known.zones[0]
	} else {
		b.fail(b.header, "Missing zone", "There are several zones, so the test must say which one. %s", enumerate("zones", known.zones))
	}
	text, ok := b.text("device")
	if !ok {
		return
	}
	q.Device = text.text
	i := slices.Index(known.devices, q.Device)
	if i < 0 {
		b.fail(text.at, "Unknown device", "There is no device %q. %s", q.Device, Suggest(q.Device, "devices", known.devices))
		return
	}
	device := c.Devices[i]
	from, ok := b.text("from")
	switch a, err := netip.ParseAddr(from.text); {
	case ok && err != nil:
		b.fail(from.at, "Invalid from", "%q is not an IP address.", from.text)
	case ok:
		q.Peer = a.Unmap()
	case len(device.From) > 0 && device.From[0].IsSingleIP():
		q.Peer = device.From[0].Addr()
	default:
		b.fail(b.header, "Missing from", "Device %q is not bound to one address, so the test must say where it comes from.", q.Device)
	}
}

// testAnswer reads what the policy is meant to say.
func (b body) testAnswer(t *Test, c *Config) {
	switch b.choice("expect", "allow", "deny", "pending") {
	case "allow":
		t.Expect = policy.Allowed
	case "pending":
		t.Expect = policy.Pending
	}
	if text, ok := b.text("rule"); ok {
		var rules []string
		for _, r := range c.Policy.Rules() {
			rules = append(rules, r.Name)
		}
		t.Rule, t.Default = text.text, text.text == ""
		if !t.Default && !slices.Contains(rules, t.Rule) {
			b.fail(text.at, "Unknown rule", "There is no rule %q. %s", t.Rule, Suggest(t.Rule, "rules", rules))
		}
	}
	t.To = b.line("to")
}
