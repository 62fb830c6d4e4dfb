// SPDX-License-Identifier: Apache-2.0

package ftpfront

import "testing"

// A device may wait for active data connections in the zone's range only, and nowhere where there is none.
func TestActivePorts(t *testing.T) {
	for name, test := range map[string]struct {
		ports    PortRange
		port     string // the last two numbers of PORT
		eprt     string
		expected int
	}{
		"first":      {PortRange{4096, 4351}, "16,0", "4096", 200},
		"last":       {PortRange{4096, 4351}, "16,255", "4351", 200},
		"below":      {PortRange{4096, 4351}, "15,255", "4095", 504},
		"above":      {PortRange{4096, 4351}, "17,0", "4352", 504},
		"none":       {PortRange{}, "16,0", "4096", 504},
		"privileged": {PortRange{1, 65535}, "3,255", "1023", 504},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(z *Zone) { z.ActivePorts = test.ports })
			c := f.login(t)
			c.cmd(test.expected, "PORT 127,0,0,1,"+test.port)
			c.cmd(test.expected, "EPRT |1|127.0.0.1|"+test.eprt+"|")
		})
	}
}
