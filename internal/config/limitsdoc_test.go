// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"strings"
	"testing"
)

// docs/limits.md has a row for every limit, with its default.
func TestEveryLimitIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	all, zones, ok := strings.Cut(string(text), "\n## Each zone\n")
	if !ok {
		t.Fatal("docs/limits.md has no section about each zone")
	}
	for section, spec := range map[string]blockSpec{all: limitsSpec(), zones: zoneLimitsSpec()} {
		for _, a := range spec.attributes {
			_, row, ok := strings.Cut(section, "| `"+a.name+"` | ")
			if !ok {
				t.Errorf("%s is not documented", a.name)
				continue
			}
			shown, _, _ := strings.Cut(row, " |")
			if a.fallback != "" && !strings.HasPrefix(strings.TrimSuffix(shown, " bytes/s"), strings.TrimSuffix(a.fallback, "B")) {
				t.Errorf("%s is documented with %q, but is %s", a.name, shown, a.fallback)
			}
		}
	}
}
