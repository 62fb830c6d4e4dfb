// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nic

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket is held to the interface that is named, and one that is not there is an error, not a socket at large.
func TestControl(t *testing.T) {
	if Control("") != nil {
		t.Error("no name is held to something")
	}
	lc := net.ListenConfig{Control: Control("lo")}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var device string
	var serr error
	if err := raw.Control(func(fd uintptr) { device, serr = unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE) }); err != nil || serr != nil {
		t.Fatal(err, serr)
	}
	if device != "lo" {
		t.Errorf("held to %q", device)
	}
	d := net.Dialer{Control: Control("nowhere0")}
	if _, err := d.DialContext(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("an interface that is not there: %v", err)
	}
}
