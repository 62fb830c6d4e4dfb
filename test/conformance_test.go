// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"strings"
	"testing"
)

// TestConformance holds the program to RFC 959, 1123, 2389, 2428, 2577 and 3659 over a raw socket, with no client library in between.
// testdata/conformance.txt holds the cases: "== NAME" begins one, its lines are those of TestTranscripts. Each case has a session of
// its own; all of them share one gateway with `ascii = "convert"`.
func TestConformance(t *testing.T) {
	text, err := os.ReadFile("testdata/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, setup{zone: `  ascii = "convert"`})
	cases := strings.Split("\n"+string(text), "\n== ")[1:]
	if len(cases) < 100 {
		t.Errorf("there are only %d cases", len(cases))
	}
	for _, c := range cases {
		name, script, _ := strings.Cut(c, "\n")
		t.Run(name, func(t *testing.T) { play(t, g, strings.Split(script, "\n")) })
	}
}
