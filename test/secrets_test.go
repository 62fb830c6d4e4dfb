// SPDX-License-Identifier: Apache-2.0

package test

import (
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Whatever a device does with its password, it is neither in the audit log nor in the operator log (the fixture looks for it in
// the end), but the attempt is on record.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	secrets := []string{"early-Kp3z", "lower-Kp3z", "spaced out-Kp3z", "account-Kp3z", "tabbed-Kp3z", "twice-Kp3z", "alone-Kp3z"}
	g.secrets = append(g.secrets, secrets...)
	f := dial(t, g.addr)
	f.cmd("PASS early-Kp3z") // before USER
	f.expect(331, "USER relay")
	f.cmd("pass lower-Kp3z")
	f.expect(331, "USER relay")
	f.cmd("PASS   spaced out-Kp3z ")
	f.cmd("ACCT account-Kp3z")
	f.cmd("alone-Kp3z") // a device that is out of step
	f.cmd("PaSs\ttabbed-Kp3z")
	f.expect(331, "USER relay")
	f.expect(230, "PASS %s", g.devices[0].password)
	f.cmd("PASS twice-Kp3z") // after the login
	f.expect(221, "QUIT")
	masked := 0
	for _, r := range g.recordsOf(audit.Command) {
		if v := strings.ToUpper(r.Verb); v == "PASS" || v == "ACCT" {
			masked++
			if r.Args != "****" {
				t.Errorf("%s has the arguments %q on record, want ****", r.Verb, r.Args)
			}
		}
	}
	if masked < 6 {
		t.Errorf("%d commands with secrets are on record, want 6 or 7", masked)
	}
}
