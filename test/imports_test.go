// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ftpgw/ftpgw"

// goPackage is what `go list` tells of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// name is the package's directory in the repository.
func (p goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func goPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func under(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

// Dangerous libraries have one home each, so that a listing of the root shows where trust is decided.
func TestLibrariesHaveOneHome(t *testing.T) {
	t.Parallel()
	homes := map[string]string{
		"github.com/fclairamb/ftpserverlib": "ftpfront",
		"github.com/pkg/sftp":               "sftpback",
		"golang.org/x/crypto/ssh":           "sftpback",
	}
	used := map[string]bool{}
	for _, p := range goPackages(t) {
		for _, i := range p.Imports {
			for library, home := range homes {
				if !under(i, library) {
					continue
				}
				used[library] = true
				if !under(p.name(), home) {
					t.Errorf("%s imports %s, which belongs to %s alone", p.name(), i, home)
				}
			}
		}
	}
	for library := range homes {
		if !used[library] {
			t.Errorf("nobody imports %s: the rule about it holds nothing", library)
		}
	}
}

func TestPolicyIsPure(t *testing.T) {
	t.Parallel()
	found := false
	for _, p := range goPackages(t) {
		if p.name() != "policy" {
			continue
		}
		found = true
		for _, i := range p.Imports {
			standard := !strings.Contains(strings.Split(i, "/")[0], ".")
			if !standard && !under(i, "github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty") {
				t.Errorf("policy imports %s", i)
			}
			if under(i, "os", "net/http", "log", "syscall", "io/ioutil") || i == "net" {
				t.Errorf("policy imports %s: it does no I/O and no logging", i)
			}
		}
	}
	if !found {
		t.Error("there is no package policy")
	}
}

// Packages import downwards only. What is not listed here may be imported by cmd alone.
func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"audit":               {"internal/durable"},
		"audit/forward":       {"audit", "internal/durable"},
		"control":             {"audit"},
		"gateway":             {"policy", "spool", "audit", "inspect", "internal/keylock", "quota"},
		"quota":               {"policy", "internal/durable"},
		"spool":               {"internal/durable"},
		"ftpfront":            {"gateway", "policy", "audit", "internal/credential", "internal/ascii", "internal/record", "internal/nic"},
		"sftpback":            {"gateway", "internal/durable", "internal/keylock", "internal/nic", "sftpback/wire"},
		"sftpback/wire":       {},
		"sftpback/sftpserver": {},
		"sftpback/sftpfault":  {"sftpback/sftpserver"},
		"sftpback/sshdtest":   {"sftpback/sftpserver"},
		"internal/config":     {"policy", "internal/credential", "inspect"},
		"internal/ascii":      {},
		"internal/credential": {},
		"internal/keylock":    {},
		"internal/record":     {},
		"internal/durable":    {},
		"internal/nic":        {},
		"internal/sbom":       {}, // a program of its own, for releases
		"internal/confine":    {"internal/config"},
		"internal/memremote":  {"gateway"}, // for tests
		"policy":              {},
		"inspect":             {},
	}
	for _, p := range goPackages(t) {
		if under(p.name(), "cmd", "test") {
			continue
		}
		list, known := allowed[p.name()]
		if !known {
			t.Errorf("package %s has no place in the import rules yet: add it here", p.name())
		}
		for _, i := range p.Imports {
			if own, ok := strings.CutPrefix(i, module+"/"); ok && known && !slices.Contains(list, own) {
				t.Errorf("%s imports %s", p.name(), own)
			}
		}
	}
}

// No chain of our own packages is longer than four imports, so that nobody needs more than five package docs to follow a file.
func TestImportChainsAreShort(t *testing.T) {
	t.Parallel()
	const longest = 4
	imports := map[string][]string{}
	for _, p := range goPackages(t) {
		for _, i := range p.Imports {
			if own, ok := strings.CutPrefix(i, module+"/"); ok {
				imports[p.name()] = append(imports[p.name()], own)
			}
		}
	}
	var chain func(name string) []string
	chain = func(name string) []string {
		var best []string
		for _, i := range imports[name] {
			if c := chain(i); len(c) > len(best) {
				best = c
			}
		}
		return append([]string{name}, best...)
	}
	for name := range imports {
		if c := chain(name); len(c)-1 > longest {
			t.Errorf("%d imports: %s", len(c)-1, strings.Join(c, " -> "))
		}
	}
}
