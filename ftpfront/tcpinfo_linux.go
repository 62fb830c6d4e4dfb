// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// stateOf asks the kernel with TCP_INFO (tcp(7)).
func stateOf(conn *net.TCPConn) (wireState, error) {
	const established = 1 // TCP_ESTABLISHED of linux/tcp_states.h
	var s wireState
	err := onDescriptor(conn, func(fd uintptr) error {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		s = wireState{established: info.State == established, roundTrip: time.Duration(info.Rtt) * time.Microsecond}
		return nil
	})
	if err != nil {
		return wireState{}, fmt.Errorf("state of a connection: %w", err)
	}
	return s, nil
}
