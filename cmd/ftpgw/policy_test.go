// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
)

// Every example that has tests passes them, and every rule of it decides one.
func TestPoliciesOfExamples(t *testing.T) {
	files, err := filepath.Glob("../../configs/*_test.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no example has tests: %v", err)
	}
	for _, file := range files {
		var out strings.Builder
		env := environment{stderr: &out}
		example := strings.TrimSuffix(file, "_test.hcl") + ".hcl"
		cfg, err := loadPolicy(env, example)
		if err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		tests, err := config.LoadTests(example, cfg)
		if showDiagnostics(env, err) != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if err := runPolicyTests(&out, cfg, tests, false); err != nil || strings.Contains(out.String(), "never") {
			t.Errorf("%s: %v\n%s", file, err, &out)
		}
	}
}

// While the gateway runs, the last line of its log may be half written.
func TestUsageOfARunningLog(t *testing.T) {
	dir := t.TempDir()
	lines := `{"time":"2026-01-01T00:00:00Z","seq":1,"event":"decision.allowed","rule":"a"}` + "\n" + `{"time":"2026-01-02T0`
	writeFile(t, filepath.Join(dir, "audit-00000001.jsonl"), []byte(lines), 0o600)
	u, err := readUsage(dir, []policy.Rule{{Name: "a"}, {Name: "b"}})
	if err != nil || u.records != 1 || strings.Join(u.idle, " ") != "b" {
		t.Errorf("%+v, %v", u, err)
	}
	writeFile(t, filepath.Join(dir, "audit-00000002.jsonl"), []byte("{\n"), 0o600)
	if u, err := readUsage(dir, nil); err == nil || !strings.Contains(err.Error(), "audit-00000002.jsonl:1 is not an audit record") {
		t.Errorf("%+v, %v", u, err)
	}
}

// What a spreadsheet would take for a formula is text.
func TestCSVHoldsNoFormulas(t *testing.T) {
	var out strings.Builder
	if err := writeCSV(&out, accessReport{Rows: []reportRow{{Device: "=1+1", Reason: "-x"}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "'=1+1,") || !strings.Contains(out.String(), ",'-x\n") {
		t.Errorf("%s", &out)
	}
}
