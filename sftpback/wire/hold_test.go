// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// pieces keeps what is written to a channel, one element for each Write, until writing fails.
type pieces struct {
	mu     sync.Mutex
	all    [][]byte
	failed error
	closed chan struct{}
	once   sync.Once
}

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return 0, p.failed
	}
	p.all = append(p.all, append([]byte(nil), b...))
	return len(b), nil
}

func (p *pieces) Read([]byte) (int, error) {
	<-p.closed
	return 0, io.EOF
}

func (p *pieces) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func onPieces(t *testing.T) (*Client, *pieces) {
	t.Helper()
	p := &pieces{closed: make(chan struct{})}
	c := New(p, nil)
	t.Cleanup(func() {
		_ = c.Close()
		_ = c.Wait()
	})
	return c, p
}

// What is sent between Hold and Release is one piece, in order; a packet that is too large for that takes along what waits before it.
func TestHold(t *testing.T) {
	c, p := onPieces(t)
	c.Hold()
	c.Hold() // two at once: the last Release counts
	c.Lstat("/one")
	c.Lstat("/two")
	c.Release()
	if len(p.all) != 0 {
		t.Fatalf("%d pieces before the release", len(p.all))
	}
	c.Release()
	if len(p.all) != 1 {
		t.Fatalf("%d pieces for what was held", len(p.all))
	}
	first := int(p.all[0][3]) + 4
	if kinds := []byte{p.all[0][4], p.all[0][first+4]}; kinds[0] != typeLstat || kinds[1] != typeLstat || len(p.all[0]) != 2*first {
		t.Errorf("types %d in %d bytes", kinds, len(p.all[0]))
	}
	c.Lstat("/three")
	if len(p.all) != 2 {
		t.Errorf("%d pieces: what comes after the release waits", len(p.all))
	}
	c.Hold()
	c.Lstat("/four")
	c.Write("h", 0, make([]byte, Room+2*maxHeld))
	if len(p.all) != 4 || p.all[2][4] != typeLstat || p.all[3][4] != typeWrite {
		t.Errorf("%d pieces behind a large packet", len(p.all))
	}
	c.Release()
	if len(p.all) != 4 {
		t.Errorf("%d pieces: something was sent twice", len(p.all))
	}
}

// Where what was held cannot be sent each of its calls fails.
func TestHeldIsLost(t *testing.T) {
	c, p := onPieces(t)
	p.failed = errors.New("no way through")
	c.Hold()
	one, two := c.Lstat("/one"), c.Remove("/two")
	c.Release()
	if _, err := one.Info(); !errors.Is(err, p.failed) {
		t.Errorf("first: %v", err)
	}
	if err := two.Status(); !errors.Is(err, p.failed) {
		t.Errorf("second: %v", err)
	}
}

// A server that answers what it cannot have seen yet, since it is held back, has answered it; the request is sent all the same, and a
// second answer ends the channel.
func TestHeldIsAnswered(t *testing.T) {
	near, far := net.Pipe()
	c := New(near, nil)
	c.Hold()
	call := c.Remove("/one")
	answer := append(newPacket(typeStatus, 12).u32(CodeOK).str(""), 0, 0, 0, 0)
	answer.address(1)
	if _, err := far.Write(answer); err != nil {
		t.Fatal(err)
	}
	if err := call.Status(); err != nil {
		t.Error(err)
	}
	released := make(chan struct{})
	go func() {
		defer close(released)
		c.Release()
	}()
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(far, head); err != nil || head[4] != typeRemove {
		t.Errorf("type %d, %v", head[4], err)
	}
	if _, err := io.CopyN(io.Discard, far, int64(head[3])+4-headerSize); err != nil {
		t.Error(err)
	}
	<-released
	if _, err := far.Write(answer[:headerSize]); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("the channel has ended: %v", err)
	}
	if err := c.Lstat("/two").Status(); err == nil {
		t.Error("an answer from a channel that has ended")
	}
}
