// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
)

// Every example has tests and passes them, and every rule of it decides one.
func TestPoliciesOfExamples(t *testing.T) {
	for _, name := range examples(t) {
		var out strings.Builder
		env := environment{stderr: &out}
		example := stageExample(t, name)
		if text, err := os.ReadFile(filepath.Join("../../configs", strings.TrimSuffix(name, ".hcl")+"_test.hcl")); err == nil {
			writeFile(t, strings.TrimSuffix(example, ".hcl")+"_test.hcl", text, 0o644)
		}
		cfg, err := loadPolicy(env, example)
		if err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		tests, err := config.LoadTests(example, cfg)
		if showDiagnostics(env, err) != nil {
			t.Errorf("%s: %v\n%s", name, err, &out)
			continue
		}
		if err := runPolicyTests(&out, cfg, tests, false); err != nil || strings.Contains(out.String(), "never") {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
	}
}

// While the gateway runs, the last line of its log may be half written; the files before are compressed.
func TestUsageOfARunningLog(t *testing.T) {
	dir := t.TempDir()
	line := func(seq int, rule string) string {
		return fmt.Sprintf(`{"time":"2026-01-0%dT00:00:00Z","seq":%d,"event":"decision.allowed","op":"list","path":"/","rule":%q}`+"\n", seq, seq, rule)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	writeFile(t, filepath.Join(dir, "audit-00000001.jsonl.zst"), w.EncodeAll([]byte(line(1, "finished")), nil), 0o600)
	writeFile(t, filepath.Join(dir, "audit-00000002.jsonl"), []byte(line(2, "a")+`{"time":"2026-01-02T0`), 0o600)
	u, err := readUsage(dir, []policy.Rule{{Name: "a"}, {Name: "b"}, {Name: "finished"}})
	if err != nil || u.records != 2 || strings.Join(u.idle, " ") != "b" || u.first.Day() != 1 || u.last.Day() != 2 {
		t.Errorf("%+v, %v", u, err)
	}
	writeFile(t, filepath.Join(dir, "audit-00000003.jsonl"), []byte("{\n"), 0o600)
	if u, err := readUsage(dir, nil); err == nil || !strings.Contains(err.Error(), "audit-00000002.jsonl") {
		t.Errorf("a torn line in the middle: %+v, %v", u, err)
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
