// SPDX-License-Identifier: Apache-2.0

package test

import (
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// A wrong password is answered with 530 and leaves the connection: the next try may be the right one. What was tried is written
// down nowhere (the fixture looks for it in the end).
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.secrets = append(g.secrets, "wrong-Qw7x", "stranger-Qw7x")
	f := dial(t, g.addr)
	f.expect(331, "USER relay")
	f.expect(530, "PASS wrong-Qw7x")
	f.expect(331, "USER nobody") // the reply does not tell who exists
	f.expect(530, "PASS stranger-Qw7x")
	f.expect(530, "PWD")
	f.expect(331, "USER relay")
	f.expect(230, "PASS %s", g.devices[0].password)
	f.expect(257, "PWD")
	var failed, ok []string
	for _, r := range g.records() {
		switch r.Event {
		case audit.LoginFailed:
			failed = append(failed, r.User)
		case audit.LoginOK:
			ok = append(ok, r.Device)
		}
	}
	if len(failed) != 2 || failed[0] != "relay" || failed[1] != "nobody" || len(ok) != 1 || ok[0] != "relay" {
		t.Errorf("on record: failed %q, ok %q", failed, ok)
	}
}
