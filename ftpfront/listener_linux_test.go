// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Devices are listened for over TCP and nothing else, at the zone's port and at passive ones: Multipath TCP would let a connection go on
// from another address than the one that was looked at, and its sockets are beyond the sandbox.
func TestListenersArePlainTCP(t *testing.T) {
	t.Parallel()
	if listenerOf("").MultipathTCP() {
		t.Error("listeners take Multipath TCP")
	}
	f := start(t, nil)
	z := f.front.zones[0]
	passive, release, err := z.ports.listen(z.Listen.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	defer passive.Close()
	for name, l := range map[string]net.Listener{"zone": z.listener, "passive": passive} {
		raw, err := l.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var protocol int
		var serr error
		if err := raw.Control(func(fd uintptr) { protocol, serr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL) }); err != nil || serr != nil {
			t.Fatal(err, serr)
		}
		if protocol != unix.IPPROTO_TCP {
			t.Errorf("the %s listener has protocol %d, want %d", name, protocol, unix.IPPROTO_TCP)
		}
	}
}
