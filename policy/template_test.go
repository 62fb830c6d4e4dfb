// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/policy"
)

// filed makes a policy of one rule that says where uploads go, told by a clock at the given place.
func filed(t testing.TB, text string, place *time.Location) *policy.Policy {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "template", hcl.InitialPos)
	if !diags.HasErrors() {
		var template *policy.Template
		if template, diags = policy.NewLanguage([]string{"bay"}).CompileTemplate(expr, text); !diags.HasErrors() {
			p, err := policy.New([]policy.Rule{{Name: "filed", Reason: "test", Ops: policy.Operations(), PathTemplate: template, MaxSize: 1 << 20,
				Window: &policy.Window{Location: place}, Deliver: policy.Delivery{Conduit: "c"}}})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatalf("%s: %v", text, diags)
	return nil
}

func TestTemplates(t *testing.T) {
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text  string
		place *time.Location
		want  string
	}{
		{`"/${device.name}/${time.date}/${file.name}"`, time.UTC, "/relay-12/2026-03-28/Fault-1.CFG"},
		{`"${device.labels.bay}/${lower(file.name)}"`, time.UTC, "/fault-1.cfg"},
		{`"/${comname(time.stamp, "Newark", device.name, "Utility")}.${file.ext}"`, york, "/260328,193000000,-4t,Newark,relay-12,Utility.cfg"},
		{`comname(time.stamp, "Newark", device.name, "Utility")`, kolkata, "/260329,050000000,+5h30t,Newark,relay-12,Utility"},
		{`comname(time.stamp, "Newark", device.name, "Utility")`, time.UTC, "/260328,233000000,0t,Newark,relay-12,Utility"},
		{`file.path`, time.UTC, "/events/2026/Fault-1.CFG"},
	} {
		p := filed(t, tt.text, tt.place)
		q := conditionQuestion()
		d := p.Decide(q)
		if d.Verdict != policy.Pending || d.Deliver.Path != tt.want {
			t.Errorf("%s: %+v, want %s", tt.text, d, tt.want)
		}
		if q.Size = 10; p.Decide(q).Deliver != d.Deliver {
			t.Errorf("%s: when the size is known the path is another: %+v", tt.text, p.Decide(q))
		}
		if q.Op = policy.Download; p.Decide(q).Deliver.Path != "" {
			t.Errorf("%s: a download is filed: %+v", tt.text, p.Decide(q))
		}
	}
}

// No device's name leads anywhere but to a file below the root.
func TestTemplateThatLeadsNowhereDenies(t *testing.T) {
	for _, text := range []string{`"/a/${device.labels.bay}"`, `"/../${file.name}"`, `"${file.name}/.."`, `device.labels.bay`, `split("/", file.path)[9]`,
		`"/${comname(file.name, "a", "b", "c")}"`} {
		d := filed(t, text, time.UTC).Decide(conditionQuestion())
		if d.Verdict != policy.Denied || d.Rule != "filed" || !strings.Contains(d.Reason, "could not be filled in") {
			t.Errorf("%s: %+v", text, d)
		}
	}
}
