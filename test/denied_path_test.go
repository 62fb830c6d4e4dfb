// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

const denyRules = `
rule "no-firmware" {
  reason  = "CIP-010: firmware does not leave by this way"
  devices = ["*"]
  deny    = ["upload", "download"]
  paths   = ["/firmware/**"]
}
rule "events" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
}
`

// What no rule allows does not cross: 550, nothing on the server, a record with the rule and its reason - and the device learns
// nothing about rules, paths or servers of ours.
func TestDeniedPath(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: denyRules})
	if err := os.Mkdir(g.home(0), 0o755); err != nil {
		t.Fatal(err)
	}
	f := g.login(0)
	inside := []string{"rule", "policy", "no-firmware", "CIP-010", "default", "sftp", "ssh", "conduit", "far", g.server.Root, "denied by"}
	denials := []struct{ op, path, rule string }{
		{"upload", "/firmware/image.bin", "no-firmware"},
		{"upload", "/elsewhere.bin", ""},
		{"append", "/events/a.cfg", ""},
		{"download", "/events/a.cfg", ""},
		{"download", "/firmware/image.bin", "no-firmware"},
		{"delete", "/events/a.cfg", ""},
		{"mkdir", "/new", ""},
	}
	verbs := map[string]string{"upload": "STOR", "append": "APPE", "download": "RETR", "delete": "DELE", "mkdir": "MKD"}
	for _, d := range denials {
		var r reply
		if d.op == "delete" || d.op == "mkdir" {
			r = f.cmd("%s %s", verbs[d.op], d.path)
		} else {
			conn, got := f.tryData("%s %s", verbs[d.op], d.path)
			if conn != nil {
				t.Fatalf("%s %s was begun: %v", verbs[d.op], d.path, got)
			}
			r = got
		}
		if r.code != 550 {
			t.Errorf("%s %s: %v, want 550", verbs[d.op], d.path, r)
		}
		for _, word := range inside {
			if strings.Contains(strings.ToLower(r.text), strings.ToLower(word)) {
				t.Errorf("%s %s: the reply %q tells the device about %q", verbs[d.op], d.path, r.text, word)
			}
		}
	}
	if files := filesBelow(t, g.server.Root); len(files) > 0 {
		t.Errorf("on the server: %q", files)
	}
	if err := os.Mkdir(filepath.Join(g.home(0), "events"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.put("/events/a.cfg", []byte("allowed")) // the session goes on, and the rule works
	var got []string
	for _, r := range g.recordsOf(audit.DecisionDenied) {
		got = append(got, r.Op+" "+r.Path+" "+r.Rule)
		if r.Reason == "" || r.Rule == "no-firmware" && !strings.HasPrefix(r.Reason, "CIP-010") {
			t.Errorf("%s %s was denied with the reason %q", r.Op, r.Path, r.Reason)
		}
	}
	var want []string
	for _, d := range denials {
		want = append(want, d.op+" "+d.path+" "+d.rule)
	}
	if !slices.Equal(got, want) {
		t.Errorf("denials on record:\n got %q\nwant %q", got, want)
	}
}
