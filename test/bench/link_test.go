// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A link delays each piece, however many are under way, and changes none.
func TestLink(t *testing.T) {
	const pieces, delay = 50, 50 * time.Millisecond
	near, far := throughLink(t, linkProfile{delay: delay})
	begun := time.Now()
	go func() {
		for i := range pieces {
			fmt.Fprintf(near, "%04d", i)
		}
		_ = near.Close()
	}()
	var got strings.Builder
	if n, err := far.WriteTo(&got); err != nil || n != 4*pieces {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if took := time.Since(begun); took < delay {
		t.Errorf("the bytes were under way for %v only", took)
	}
	for i := range pieces {
		if want := fmt.Sprintf("%04d", i); got.String()[4*i:4*i+4] != want {
			t.Fatalf("piece %d is %q", i, got.String()[4*i:4*i+4])
		}
	}
}

// What carries at a rate is not faster than that.
func TestLinkRate(t *testing.T) {
	const rate, size = 1 << 20, 256 << 10
	near, far := throughLink(t, linkProfile{rate: rate})
	begun := time.Now()
	go func() {
		_, _ = near.Write(make([]byte, size))
		_ = near.Close()
	}()
	var got strings.Builder
	if n, err := far.WriteTo(&got); err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if took, least := time.Since(begun), time.Second*size/rate; took < least {
		t.Errorf("%d bytes took %v, at that rate %v is the least", size, took, least)
	}
}

// throughLink is both ends of a connection that a link carries.
func throughLink(t *testing.T, profile linkProfile) (near, far *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	l := startLink(t, profile, listener.Addr().String())
	conn, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), accepted.Close() })
	return conn.(*net.TCPConn), accepted.(*net.TCPConn)
}
