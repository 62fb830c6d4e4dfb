// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestReferenceIsUpToDate(t *testing.T) {
	golden(t, "../../docs/configuration.md", Reference())
}

func TestEveryAttributeIsDescribed(t *testing.T) {
	kinds := map[kind]bool{}
	for _, k := range valueKinds() {
		kinds[k.kind] = true
	}
	var visit func(b blockSpec)
	visit = func(b blockSpec) {
		if b.count == "" {
			return // refused, so there is nothing to describe
		}
		if b.meaning == "" {
			t.Errorf("block %s has no meaning", b.name)
		}
		if _, diags := hclsyntax.ParseConfig([]byte(b.sample(b.name)), b.name, hcl.InitialPos); diags.HasErrors() {
			t.Errorf("the sample of %s is not HCL: %v", b.name, diags)
		}
		for _, a := range b.attributes {
			if a.meaning == "" || a.example == "" || !kinds[a.kind] {
				t.Errorf("%s.%s is not described: %+v", b.name, a.name, a)
			}
			given := 0
			for _, is := range []bool{a.required, a.fallback != "", a.absent != ""} {
				if is {
					given++
				}
			}
			if given != 1 {
				t.Errorf("%s.%s must be required, or have a default, or say what its absence means", b.name, a.name)
			}
			if !strings.Contains(Reference(), "| `"+a.name+"` |") {
				t.Errorf("%s.%s is not in the reference", b.name, a.name)
			}
		}
		for _, inner := range b.blocks {
			visit(inner)
		}
	}
	visit(blockSpec{name: "root", count: "one", meaning: "The top level.", attributes: rootSpec().attributes})
	for _, b := range rootSpec().blocks {
		visit(b)
	}
}
