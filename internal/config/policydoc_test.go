// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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

func TestExamplesOfPolicyDocLoad(t *testing.T) {
	text, err := os.ReadFile(policyDoc)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 6 {
		t.Fatalf("only %d examples found", len(examples))
	}
	for _, example := range examples {
		dir, file := stage(t, "testdata/valid-minimal.hcl")
		if err := os.WriteFile(file, []byte(station+stationDevices()+example[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"allowed.sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  firmware.bin\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Load(file, fakeChecks()); err != nil {
			got, _ := diagnostics(t, dir, file)
			t.Errorf("%s\n%s", example[1], got)
		}
	}
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
