// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const changing = `
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

func TestChanges(t *testing.T) {
	before := changing
	one := before[strings.Index(before, `rule "one"`):strings.Index(before, `rule "two"`)]
	tests := []struct {
		name  string
		after string
		want  []string
	}{
		{"nothing", before, nil},
		{"comments and lines between", "# a comment\n\n" + before, nil},
		{"comments and lines within", strings.NewReplacer(
			"{\n", "{ // why\n\n", "allow  = [\"list\"]", "allow = [ /* no more */\n    \"list\" # yet\n  ]", "  ", "\t", "dir =", "dir   =",
		).Replace(before), nil},
		{"what looks like a comment", strings.Replace(before, `"1"`, `"1 # 1"`, 1), []string{`rule "one" changed`}},
		{"a blank in a text", strings.Replace(before, `"1"`, `"1 "`, 1), []string{`rule "one" changed`}},
		{"another label", strings.Replace(before, `zone "bay"`, `zone "bay-8"`, 1), []string{`zone "bay-8" added`, `zone "bay" removed`}},
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
		return loadText(t, file)
	}
	for _, tt := range tests {
		if got := Changes(load(before), load(tt.after)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func loadText(t *testing.T, file string) *Config {
	t.Helper()
	checks := fakeChecks()
	checks.WithoutKeys = true
	c, err := Load(file, checks)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Of a list of digests it counts what is on it.
func TestChangesOfAList(t *testing.T) {
	rule := `
rule "firmware" {
  reason  = "known files only"
  allow   = ["upload"]
  paths   = ["/**"]
  content { sha256 = "allowed" }
}
`
	one, two := strings.Repeat("1", 64), strings.Repeat("a", 64)
	dir := t.TempDir()
	load := func(list string) *Config {
		t.Helper()
		for name, text := range map[string]string{"ftpgw.hcl": changing + rule, "allowed": list} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return loadText(t, filepath.Join(dir, "ftpgw.hcl"))
	}
	before := load(one + "  a.bin\n" + two + "  b.bin\n")
	for list, want := range map[string][]string{
		"# two files\n\n" + strings.ToUpper(two) + " *b.bin\n" + one + "  renamed.bin\n": nil,
		one + "  a.bin\n": {"file allowed changed"},
	} {
		after := load(list)
		if got := Changes(before, after); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
		if before.Digest == after.Digest {
			t.Errorf("%q: the digest is that of before", list)
		}
	}
}

// Two lists may have the same last name: they are told apart.
func TestChangesOfTwoLists(t *testing.T) {
	rule := `
rule "list-%s" {
  reason  = "known files only"
  allow   = ["upload"]
  paths   = ["/%s/**"]
  content { sha256 = "%s/allowed" }
}
`
	dir := t.TempDir()
	load := func(first, second string) *Config {
		t.Helper()
		text := changing
		for _, at := range [][2]string{{"one", first}, {"two", second}} {
			name, list := at[0], at[1]
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name, "allowed"), []byte(list+"  file\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf(rule, name, name, name)
		}
		if err := os.WriteFile(filepath.Join(dir, "ftpgw.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return loadText(t, filepath.Join(dir, "ftpgw.hcl"))
	}
	a, b, c := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	before := load(a, b)
	if got := Changes(before, before); got != nil {
		t.Errorf("of itself: %q", got)
	}
	if got, want := Changes(before, load(a, c)), "file two/allowed changed"; !slices.Equal(got, []string{want}) {
		t.Errorf("%q, want %q", got, want)
	}
}
