// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// waitUnread waits until there are bytes in a connection's receive buffer.
func waitUnread(t testing.TB, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a reply arrives", func() bool {
		n := 0
		var ferr error
		if err := raw.Control(func(fd uintptr) { n, ferr = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }); err != nil {
			ferr = err
		}
		if ferr != nil {
			t.Fatal(ferr)
		}
		return n > 0
	})
}
