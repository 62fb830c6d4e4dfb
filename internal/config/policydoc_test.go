// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

const policyDoc = "../../docs/policy.md"

// station is what the examples of docs/policy.md stand beside.
const station = `
zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}
conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "u"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/"
}
audit { dir = "audit" }
`

func stationDevices() string {
	var out strings.Builder
	for _, name := range []string{"relay-12", "relay-13", "meter-7", "camera-1"} {
		fmt.Fprintf(&out, "device %q {\n password_hash = \"$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde\"\n labels = { vendor = \"SEL\", bay = \"7\" }\n}\n", name)
	}
	return out.String()
}

// hclExamples are the examples of a document.
func hclExamples(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		examples = append(examples, m[1])
	}
	return examples
}

// loadExample loads a configuration beside all the files that the examples name.
func loadExample(t *testing.T, text string) *Config {
	t.Helper()
	dir, file := stage(t, "testdata/valid-minimal.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, fakeChecks())
	if err != nil {
		got, _ := diagnostics(t, dir, file)
		t.Fatalf("%s\n%s", text, got)
	}
	return c
}

// answers are what the examples of docs/policy.md are said to do: for each rule at least one case that it decides.
func answers() map[string][]policy.Question {
	at := func(moment string) time.Time {
		m, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			panic(err) // the test's own text
		}
		return m
	}
	q := func(op policy.Operation, device, path, moment string, size int64, kind string) policy.Question {
		return policy.Question{Device: device, Zone: "bay-7", Peer: netip.MustParseAddr("10.7.0.12"), Op: op, Path: path, Time: at(moment), Size: size, Declared: policy.SizeUnknown, Type: kind}
	}
	const day, night, fridayNight = "2026-03-02T12:00:00Z", "2026-03-02T23:00:00Z", "2026-03-07T02:30:00Z" // in Berlin half past three
	const up, unknown = policy.Upload, policy.SizeUnknown
	return map[string][]policy.Question{
		"disturbance-records": {q(up, "relay-12", "/events/a.cfg", day, 1, ""), q(policy.List, "relay-13", "/events", day, unknown, "")},
		"no-settings":         {q(up, "relay-12", "/events/A.SET", day, 1, ""), q(policy.Rename, "camera-1", "/a.rdb", day, unknown, "")},
		"everything-else":     {q(up, "relay-12", "/a.cfg", day, 1, "")},
		"bay-records":         {q(up, "meter-7", "/a", day, 1, "")},
		"firmware":            {q(policy.Download, "relay-12", "/firmware/v2.bin", fridayNight, 1, "")},
		"small-by-day":        {q(up, "camera-1", "/a.mp4", day, 5<<20, ""), q(up, "camera-1", "/a.mp4", day, unknown, "")},
		"all-by-night":        {q(up, "camera-1", "/a.mp4", night, 5<<20+1, "")},
		"by-condition":        {q(up, "relay-12", "/events/relay-12/a", day, 1, ""), q(up, "relay-12", "/events/relay-12/a", day, unknown, "")},
		"filed-by-day":        {q(up, "relay-12", "/events/a.cfg", day, 1, "")},
		"comname":             {q(up, "meter-7", "/a.cfg", day, 1, "")},
		"records-only":        {q(up, "relay-12", "/events/a.cfg", day, 1, "")},
		"released-firmware":   {q(up, "camera-1", "/a.bin", day, 1, "")},
		"packed-records":      {q(up, "relay-12", "/a.zip", day, 1, "")},
		"no-programs":         {q(up, "relay-12", "/a.cfg", day, 1, "elf"), q(policy.Append, "meter-7", "/a", day, 1, "script")},
		"what-is-left":        {q(up, "relay-12", "/a.cfg", day, 1, "text")},
		"records-in-measure":  {q(up, "relay-12", "/events/a.cfg", day, 1, ""), q(policy.Download, "relay-12", "/events/a.cfg", day, 1, "")},
		"pictures":            {q(up, "camera-1", "/a.jpg", day, 1, "")},
	}
}

// denials are what no rule of the example lets pass.
func denials(cases map[string][]policy.Question) map[string]policy.Question {
	change := func(rule string, f func(*policy.Question)) policy.Question {
		q := cases[rule][0]
		f(&q)
		return q
	}
	return map[string]policy.Question{
		"disturbance-records": change("disturbance-records", func(q *policy.Question) { q.Op = policy.Download }),
		"everything-else":     change("everything-else", func(q *policy.Question) { q.Path = "/private/a.cfg" }),
		"bay-records":         change("bay-records", func(q *policy.Question) { q.Peer = netip.MustParseAddr("10.8.0.1") }),
		"firmware":            change("firmware", func(q *policy.Question) { q.Time = q.Time.Add(time.Hour) }),
		"all-by-night":        change("all-by-night", func(q *policy.Question) { q.Time = q.Time.Add(-12 * time.Hour) }),
		"by-condition":        change("by-condition", func(q *policy.Question) { q.Path = "/events/relay-13/a" }),
		"filed-by-day":        change("filed-by-day", func(q *policy.Question) { q.Device = "camera-1" }),
		"what-is-left":        change("what-is-left", func(q *policy.Question) { q.Device = "camera-1" }),
	}
}

// Every example of docs/policy.md loads beside the station, and each of its rules does what the page says.
func TestExamplesOfPolicyDoc(t *testing.T) {
	examples := hclExamples(t, policyDoc)
	if len(examples) < 6 {
		t.Fatalf("only %d examples found", len(examples))
	}
	cases := answers()
	for _, example := range examples {
		c := loadExample(t, station+stationDevices()+example)
		for _, r := range c.Policy.Rules() {
			if len(cases[r.Name]) == 0 {
				t.Errorf("rule %q of docs/policy.md is not tried", r.Name)
			}
			for _, q := range cases[r.Name] {
				if d := c.Policy.Decide(q); d.Rule != r.Name || (d.Verdict == policy.Denied) != r.Deny {
					t.Errorf("%+v is decided by %+v, not by %q", q, d, r.Name)
				}
			}
			if q, ok := denials(cases)[r.Name]; ok {
				if d := c.Policy.Decide(q); d.Verdict != policy.Denied || d.Rule != "" {
					t.Errorf("%+v is not denied by default: %+v", q, d)
				}
			}
		}
	}
}

// The examples of all other documents load, with what they leave out put beside them. The reference is made of samples that exclude
// each other, and has tests of its own.
func TestExamplesOfOtherDocumentsLoad(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, document := range append(documents, "../../README.md") {
		if base := filepath.Base(document); base == "policy.md" || base == "configuration.md" {
			continue
		}
		for _, example := range hclExamples(t, document) {
			found++
			loadExample(t, completed(example))
		}
	}
	if found < 4 {
		t.Errorf("only %d examples found", found)
	}
}

// completed is an example with the blocks of the station that it does not have itself, and hashes in the place of dots.
func completed(example string) string {
	text := strings.ReplaceAll(example, `"$2a$12$..."`, `"$2a$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"`)
	for _, block := range strings.SplitAfter(station, "\n}\n") {
		if kind, _, _ := strings.Cut(strings.TrimSpace(block), " "); kind != "" && !regexp.MustCompile(`(?m)^`+kind+`\b`).MatchString(text) {
			text += block
		}
	}
	if !strings.Contains(text, `device "`) {
		text += stationDevices()
	}
	if strings.Contains(text, `groups  = ["relays"]`) && !strings.Contains(text, `group "relays"`) {
		text += "group \"relays\" { devices = [\"relay-*\"] }\n"
	}
	return text
}

// The tables of variables and functions are made from what the language itself knows.
func TestPolicyDocListsTheLanguage(t *testing.T) {
	text, err := os.ReadFile(policyDoc)
	if err != nil {
		t.Fatal(err)
	}
	variables, functions := "| variable | type | meaning |\n|---|---|---|\n", "| function | meaning |\n|---|---|\n"
	for _, v := range policy.Variables() {
		variables += fmt.Sprintf("| `%s` | %s | %s |\n", v.Name, v.Type, v.Meaning)
	}
	for _, f := range policy.Functions() {
		functions += fmt.Sprintf("| `%s` | %s |\n", f.Call, f.Meaning)
	}
	want := string(text)
	for name, table := range map[string]string{"variables": variables, "functions": functions} {
		section := regexp.MustCompile("(?s)<!-- " + name + " -->\n.*?<!-- end -->")
		want = section.ReplaceAllLiteralString(want, "<!-- "+name+" -->\n"+table+"<!-- end -->")
	}
	golden(t, policyDoc, want)
}
