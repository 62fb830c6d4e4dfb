// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// written is a connection that keeps how long each piece was that was written alone. Pieces that are written together go past it.
type written struct {
	*net.TCPConn
	mu    sync.Mutex
	sizes []int
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.sizes = append(w.sizes, len(p))
	w.mu.Unlock()
	return w.TCPConn.Write(p)
}

// large is the number of pieces that were as long as SSH's buffer, or longer.
func (w *written) large() (count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.sizes {
		if n >= sshBuffer {
			count++
		}
	}
	return count
}

// Time is that of testing/synctest, so that how busy the machine is does not matter to what waits for how long.
func TestJoinedConn(t *testing.T) { synctest.Test(t, testJoinedConn) }

func testJoinedConn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	below := &written{TCPConn: dialled.(*net.TCPConn)}
	c := newJoinedConn(below)
	defer func() { _ = c.Close() }()
	for _, pieces := range [][]int{{10}, {sshBuffer, 20000}, {sshBuffer, 1}, {sshBuffer, sshBuffer}, {20000}} {
		var sent []byte
		for _, size := range pieces {
			p := noise(size)
			if n, err := c.Write(p); n != size || err != nil {
				t.Fatalf("%v: %d, %v", pieces, n, err)
			}
			sent = append(sent, p...)
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%v: not what was written, %v", pieces, err)
		}
	}
	if !slices.Equal(below.sizes, []int{10, 20000}) {
		t.Errorf("written alone: %d", below.sizes)
	}
	// Where nothing follows, what waits is written all the same.
	if _, err := c.Write(noise(sshBuffer)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(restWaits)
	if _, err := io.ReadFull(far, make([]byte, sshBuffer)); err != nil {
		t.Error(err)
	}
	if _, err := c.Write(noise(sshBuffer)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// SSH still writes as it is taken to do: a packet of a file's data is not written in pieces. On a busy machine one may be, since the second
// piece can be late; but then all of them would be.
func TestPacketsInOnePiece(t *testing.T) {
	const packets = 32
	var mu sync.Mutex
	var all []*written
	f := overEmbeddedBy(t, func(ctx context.Context, cfg Config) (net.Conn, error) {
		conn, err := connectTCP(ctx, cfg)
		if err != nil {
			return nil, err
		}
		w := &written{TCPConn: conn.(*net.TCPConn)}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, w)
		return w, nil
	})
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, noise(packets*safePacket)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	alone := 0
	for _, w := range all {
		alone += w.large()
	}
	if alone >= packets/2 {
		t.Errorf("%d of %d packets were written without the rest", alone, packets)
	}
}

// Closing lets a Write return that waits for a server which has stopped to read, be it one that was asked for or what waited in vain for
// the rest.
func TestJoinedConnIsClosed(t *testing.T) {
	for name, size := range map[string]int{"a whole packet": 10, "a first piece": sshBuffer} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe() // a Write waits for its reader
			defer func() { _ = far.Close() }()
			c := newJoinedConn(near)
			written := make(chan error, 1)
			go func() {
				_, err := c.Write(noise(size))
				if err == nil {
					_, err = c.Write(noise(size))
				}
				written <- err
			}()
			if _, err := io.ReadFull(far, make([]byte, 1)); err != nil { // it is under way
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := <-written; err == nil {
				t.Error("what was not sent is taken for sent")
			}
		})
	}
}
