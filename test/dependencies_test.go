// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// Every direct dependency has its reason in docs/dependencies.md, and nothing else stands there.
func TestEveryDirectDependencyHasItsReason(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Za-z0-9./-]+\.[A-Za-z0-9./-]+) \|`).FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	tool := "honnef.co/go/tools" // the module of the tool directive, which go.mod lists as indirect
	for _, r := range mod.Require {
		direct := !r.Indirect || r.Path == tool
		if has := slices.Contains(documented, r.Path); has != direct {
			t.Errorf("%s: a direct dependency: %v, in docs/dependencies.md: %v", r.Path, direct, has)
		}
	}
	for _, path := range documented {
		if !slices.ContainsFunc(mod.Require, func(r struct {
			Path     string
			Indirect bool
		}) bool {
			return r.Path == path
		}) {
			t.Errorf("%s is in docs/dependencies.md and not in go.mod", path)
		}
	}
}
