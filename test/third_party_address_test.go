// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net"
	"testing"
)

// A device may not make the gateway connect to somebody else (RFC 2577, 3), nor to a well-known port, and nobody else may use its
// passive port.
func TestThirdPartyAddressIsRefused(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.put("/file", []byte("content"))
	third, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	port := third.Addr().(*net.TCPAddr).Port
	came := make(chan struct{})
	go func() {
		defer close(came)
		if conn, err := third.Accept(); err == nil {
			_ = conn.Close()
			t.Error("the gateway connected to a third party")
		}
	}()
	for _, command := range []string{
		fmt.Sprintf("PORT 127,0,0,2,%d,%d", port>>8, port&0xff),
		fmt.Sprintf("EPRT |1|127.0.0.2|%d|", port),
		"PORT 127,0,0,1,0,22",
		"EPRT |1|127.0.0.1|22|",
	} {
		f.expect(5, "%s", command)
		if r := f.cmd("RETR /file"); r.code/100 != 4 && r.code/100 != 5 {
			t.Errorf("RETR after %s: %v", command, r)
		}
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	<-came
	if got := string(f.get("RETR /file")); got != "content" {
		t.Errorf("afterwards the session gets %q", got)
	}
}

func TestPassivePortIsForTheDeviceAlone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.put("/file", []byte("content"))
	addr := f.epsv()
	stranger := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	thief, err := stranger.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	own, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	f.expect(150, "RETR /file")
	buf := make([]byte, 100)
	if n, err := own.Read(buf); err != nil || string(buf[:n]) != "content" {
		t.Errorf("the device got %q, %v", buf[:n], err)
	}
	f.expectReply("RETR", f.read(), 226)
	if n, _ := thief.Read(buf); n > 0 {
		t.Errorf("the stranger got %q", buf[:n])
	}
}
