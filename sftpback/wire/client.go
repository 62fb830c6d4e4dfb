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

	sending sync.Mutex // held while a packet is sent: packets are whole, and in the order of their calls

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

// send sends a request. A call that could not be sent has ended when send returns.
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
	if _, err := c.conn.Write(p); err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", ErrLost, err)
		}
		if unsent := c.take(id); unsent != nil {
			unsent.end(fmt.Errorf("send a request: %w", err))
		}
		_ = c.conn.Close() // what was sent of it makes no packet
	}
	return call
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
