// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
)

// filedUnder is a rule that says where files are published.
func filedUnder(t *testing.T, path string) policy.Rule {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(path), "path", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	rule := all("far")
	if rule.PathTemplate, diags = policy.NewLanguage(nil).CompileTemplate(expr, path); diags.HasErrors() {
		t.Fatal(diags)
	}
	return rule
}

// A rule's path is where the file is found, below the conduit's root, with both paths on record.
func TestUploadIsPublishedWhereTheRuleSays(t *testing.T) {
	w := newWorld(t, filedUnder(t, `"/records/${device.name}/${file.ext}/${file.name}${file.name}"`))
	for _, content := range []string{"first", "second"} { // the directories are missing, then there
		if err := w.upload("/in/a.cfg", strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.far.Get("/records/relay/cfg/a.cfga.cfg"); string(got) != content {
			t.Errorf("found %q, want %q", got, content)
		}
	}
	if _, there := w.far.Get("/relay/in/a.cfg"); there {
		t.Error("the file is below the home, too")
	}
	if r := w.log.last(t); r.Event != audit.TransferCommitted || r.Path != "/in/a.cfg" || r.To != "/records/relay/cfg/a.cfga.cfg" {
		t.Errorf("record %+v", r.TransferFields)
	}
	if err := w.upload("/"+strings.Repeat("x", 200), strings.NewReader("")); !errors.Is(err, gateway.ErrBadName) {
		t.Errorf("a name that becomes too long: %v", err)
	}
}
