// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package nic

import (
	"fmt"
	"runtime"
	"syscall"
)

// Control refuses to hold sockets to an interface, which this system has no way to do. It is nil where the name is empty.
func Control(name string) func(network, address string, c syscall.RawConn) error {
	if name == "" {
		return nil
	}
	return func(_, _ string, _ syscall.RawConn) error {
		return fmt.Errorf("use the interface %q: not on %s", name, runtime.GOOS)
	}
}
