// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrLost is the error of a Call whose channel ended before its answer came.
var ErrLost = errors.New("the SFTP channel has ended")

// Client is the client's end of a channel. Its methods are safe for concurrent use.
type Client struct {
	conn       io.ReadWriteCloser
	extensions map[string]string
	ended      chan struct{} // closed when nothing is read from conn any more

	sending sync.Mutex // held while packets are sent: they are whole, and in the order of their calls
	holds   int        // of Hold without Release; guarded by sending, like the next two
	held    []byte     // packets that wait for Release
	unsent  []uint32   // the ids of their calls

	mu    sync.Mutex
	calls map[uint32]*Call // under way
	last  uint32           // request id
	cause error            // why the channel has ended
}

// New is the client of a channel on which the versions have been exchanged; extensions are those that the server has named. It reads
// from conn until that ends, which Close brings about.
func New(conn io.ReadWriteCloser, extensions map[string]string) *Client {
	c := &Client{conn: conn, extensions: extensions, ended: make(chan struct{}), calls: make(map[uint32]*Call)}
	go func() { // ends with conn; Wait waits for it
		defer close(c.ended)
		c.receive()
	}()
	return c
}

// Extension is the version in which the server offers an extension.
func (c *Client) Extension(name string) (version string, ok bool) {
	version, ok = c.extensions[name]
	return version, ok
}

// Wait returns when the channel has ended, and why it has.
func (c *Client) Wait() error {
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Close ends the channel.
func (c *Client) Close() error { return c.conn.Close() }

// maxHeld is how many bytes are held back at most. A packet of SSH carries no more than 32 KiB, so that to hold more gains nothing.
const maxHeld = 16 << 10

// Hold has the requests that follow wait for Release, which sends them in one piece: one packet of SSH instead of many, for which the
// server is woken up once. In between nobody must wait for an answer. What others send at the same time waits, too.
func (c *Client) Hold() {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.holds++
}

// Release ends a Hold.
func (c *Client) Release() {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.holds--; c.holds == 0 {
		c.flush(nil)
	}
}

// send sends a request. A call that could not be sent has ended when send returns, or Release.
func (c *Client) send(p packet, call *Call) *Call {
	call.done = make(chan struct{})
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	if c.cause != nil {
		call.end(c.cause)
		c.mu.Unlock()
		return call
	}
	c.last++
	id := c.last
	c.calls[id] = call
	c.mu.Unlock()
	p.address(id)
	c.unsent = append(c.unsent, id)
	if c.holds > 0 && len(c.held)+len(p) <= maxHeld {
		c.held = append(c.held, p...)
	} else {
		c.flush(p)
	}
	return call
}

// flush sends what is held back, and p behind it.
func (c *Client) flush(p packet) {
	err := c.write(c.held)
	if err == nil {
		err = c.write(p)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", ErrLost, err)
		}
		for _, id := range c.unsent {
			if call := c.take(id); call != nil {
				call.end(fmt.Errorf("send a request: %w", err))
			}
		}
		_ = c.conn.Close() // what was sent of it makes no packet
	}
	c.held, c.unsent = c.held[:0], c.unsent[:0]
}

func (c *Client) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := c.conn.Write(p)
	return err
}

func (c *Client) take(id uint32) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[id]
	delete(c.calls, id)
	return call
}

// receive takes answers until the channel ends.
func (c *Client) receive() {
	in := bufio.NewReaderSize(c.conn, 4<<10) // the data of files go past it
	var err error
	for head := make([]byte, headerSize+4); err == nil; {
		err = c.receiveOne(in, head)
	}
	_ = c.conn.Close() // the reason is in err
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause = err
	for id, call := range c.calls {
		delete(c.calls, id)
		call.end(err)
	}
}

// receiveOne takes one answer to whoever waits for it.
func (c *Client) receiveOne(in *bufio.Reader, head []byte) error {
	if _, err := io.ReadFull(in, head[:headerSize]); err != nil {
		return lost(err)
	}
	size, kind, id := binary.BigEndian.Uint32(head), head[4], binary.BigEndian.Uint32(head[5:])
	if size < headerSize-4 || size > maxAnswer {
		return fmt.Errorf("the server sends a packet of %d bytes", size)
	}
	call := c.take(id)
	if call == nil {
		return fmt.Errorf("the server answers a request that was not made (type %d)", kind)
	}
	call.kind = kind
	rest := int(size) - (headerSize - 4)
	err := call.fill(in, head[headerSize:], rest)
	call.end(err)
	return err
}

func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrLost
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
