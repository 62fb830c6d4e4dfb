// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
)

// Where a zone listens at the standard port 21, active data connections come from port 20 (RFC 959, 3.2), several at a time, and
// from the address to which the device connected.
func TestActiveConnectionsComeFromPort20(t *testing.T) {
	t.Parallel()
	standard := netip.MustParseAddrPort("127.0.21.21:21") // an address that nobody else uses
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(standard))
	if errors.Is(err, os.ErrPermission) {
		if os.Getenv("FTPGW_REQUIRE_REAL") != "" {
			t.Fatal("ports below 1024 are not for us")
		}
		t.Skip("ports below 1024 are not for us")
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	f := start(t, func(z *Zone) { z.Listen = standard })
	f.remote.Put("/relay/a", []byte("content"))
	var conns []net.Conn
	var clients []*client
	for range 3 {
		c := f.login(t)
		device, err := net.ListenTCP("tcp", &net.TCPAddr{IP: c.conn.LocalAddr().(*net.TCPAddr).IP})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = device.Close() })
		c.cmd(200, fmt.Sprintf("EPRT |1|%s|%d|", c.conn.LocalAddr().(*net.TCPAddr).IP, device.Addr().(*net.TCPAddr).Port))
		c.cmd(150, "RETR a")
		conn, err := device.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if from := conn.RemoteAddr().String(); from != "127.0.21.21:20" {
			t.Errorf("the data connection comes from %s", from)
		}
		conns, clients = append(conns, conn), append(clients, c)
	}
	for i, conn := range conns {
		if data, err := io.ReadAll(conn); err != nil || string(data) != "content" {
			t.Errorf("%q, %v", data, err)
		}
		clients[i].expect(226)
	}
}
