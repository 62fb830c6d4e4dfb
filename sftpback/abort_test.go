// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// What was not sent when a connection is given up, or the gateway is made an island, is not sent any more: it would reach the server behind
// what others have done meanwhile, or where nothing is to cross.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l := &link{conn: newHeardConn(newJoinedConn(raw)), done: make(chan struct{})}
	written := make(chan int)
	go func() {
		n, _ := l.conn.Write(make([]byte, 256<<20)) // more than any buffer holds
		written <- n
	}()
	if _, err := io.ReadFull(server, make([]byte, 1)); err != nil { // the rest is on its way
		t.Fatal(err)
	}
	l.fail(errSuspended)
	<-written
	n, err := io.Copy(io.Discard, server)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server got %d bytes more, and then %v", n, err)
	}
}
