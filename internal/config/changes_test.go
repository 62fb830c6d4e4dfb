// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	before := `
audit { dir = "audit" }
zone "bay" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}
conduit "far" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest"
}
rule "one" {
  reason = "1"
  allow  = ["list"]
  paths  = ["/1/**"]
}
rule "two" {
  reason = "2"
  allow  = ["list"]
  paths  = ["/2/**"]
}
`
	one := before[strings.Index(before, `rule "one"`):strings.Index(before, `rule "two"`)]
	tests := []struct {
		name  string
		after string
		want  []string
	}{
		{"nothing", before, nil},
		{"comments and lines between", "# a comment\n\n" + before, nil},
		{"a value", strings.Replace(before, `"1"`, `"one"`, 1), []string{`rule "one" changed`}},
		{"removed", strings.Replace(before, one, "", 1), []string{`rule "one" removed`}},
		{"renamed", strings.Replace(before, `rule "one"`, `rule "uno"`, 1), []string{`rule "uno" added`, `rule "one" removed`}},
		{"order", strings.Replace(before, one, "", 1) + one, []string{"the order of the rules changed"}},
		{"an attribute", before + "island = true\n", []string{"island added"}},
	}
	load := func(text string) *Config {
		t.Helper()
		file := filepath.Join(t.TempDir(), "ftpgw.hcl")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		checks := fakeChecks()
		checks.WithoutKeys = true
		c, err := Load(file, checks)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tt := range tests {
		if got := Changes(load(before), load(tt.after)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
