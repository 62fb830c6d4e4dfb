// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Control is one for net.Dialer and net.ListenConfig that holds their sockets to the interface of this name (SO_BINDTODEVICE,
// socket(7)). It is nil where the name is empty. From Linux 5.7 on this takes no privilege; before, CAP_NET_RAW.
func Control(name string) func(network, address string, c syscall.RawConn) error {
	if name == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) { serr = unix.BindToDevice(int(fd), name) })
		if serr != nil {
			serr = fmt.Errorf("use the interface %q: %w", name, serr)
		}
		return errors.Join(err, serr)
	}
}
