// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Rules about the protection of the session, each for names of its own.
const protectedRules = `
rule "by-certificate" {
  reason       = "only the relay itself"
  allow        = ["upload"]
  names        = ["certificate-*"]
  certificates = ["relay.*"]
}
rule "by-condition" {
  reason = "the same, as a condition"
  allow  = ["upload"]
  names  = ["condition-*"]
  when   = transfer.tls && contains(peer.certificate, "relay.example")
}
rule "under-tls" {
  reason = "readable by nobody on the way"
  allow  = ["upload"]
  names  = ["protected-*"]
  tls    = true
}
`

// A rule that is about the certificate or the protection of a session decides by what the device has really shown.
func TestRulesAboutProtection(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	p := newPKI(t)
	g := startGateway(t, setup{rules: protectedRules,
		zone: fmt.Sprintf("tls = \"optional\"\ncertificate = %q\nprivate_key = %q\nclient_ca = %q\n", p.cert, p.key, p.ca)})
	shown := []string{"--ssl-reqd", "--cert", p.deviceCert, "--key", p.deviceKey}
	for _, tt := range []struct {
		name    string
		flags   []string
		allowed bool
	}{
		{"certificate-shown", shown, true}, {"certificate-none", []string{"--ssl-reqd"}, false}, {"certificate-clear", nil, false},
		{"condition-shown", shown, true}, {"condition-none", []string{"--ssl-reqd"}, false}, {"condition-clear", nil, false},
		{"protected-shown", shown, true}, {"protected-none", []string{"--ssl-reqd"}, true}, {"protected-clear", nil, false},
	} {
		e := errandFor(t, g, 0, tt.name, 100)
		out, err := runScript(t, curlURL("ftp", tt.flags...)(p, e)[0])
		if (err == nil) != tt.allowed {
			t.Errorf("%s: %v, allowed is %v\n%s", tt.name, err, tt.allowed, out)
		}
		if slices.Contains(filesBelow(t, g.server.Root), filepath.Join(g.devices[0].name, tt.name)) != tt.allowed {
			t.Errorf("%s: allowed is %v, on the server is %q", tt.name, tt.allowed, filesBelow(t, g.server.Root))
		}
	}
	var denied int
	for _, r := range g.recordsOf(audit.DecisionDenied) {
		if r.Rule == "" && r.Op == "upload" {
			denied++
		}
	}
	if denied != 5 {
		t.Errorf("%d denied uploads are on record, want 5", denied)
	}
}
