// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"strconv"
	"testing"
)

// Passive ports come from the zone's range, whichever command asks and however often; more transfers than ports is 4yz, and ports
// that were asked for in vain come back.
func TestPassivePortsWithinTheRange(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	count := g.passive[1] - g.passive[0] + 1
	for i := range 2 * count {
		ask := f.epsv
		if i%2 == 0 {
			ask = f.pasv
		}
		host, port, err := net.SplitHostPort(ask())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < g.passive[0] || n > g.passive[1] {
			t.Errorf("port %s is outside %d-%d", port, g.passive[0], g.passive[1])
		}
		if host != "127.0.0.1" {
			t.Errorf("the address is %s", host)
		}
	}
	var sessions []*ftp
	for range count - 1 { // f has one
		s := g.login(0)
		s.epsv()
		sessions = append(sessions, s)
	}
	late := g.login(0)
	late.expect(4, "EPSV")
	late.expect(4, "PASV")
	sessions[0].expect(221, "QUIT")
	eventually(t, "a port is free again", func() bool { return late.cmd("EPSV").code == 229 })
}
