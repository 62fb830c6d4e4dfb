// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"net"
	"sync"
	"time"
)

const (
	// sshBuffer is the size of the buffer through which golang.org/x/crypto/ssh writes (transport.go: that of bufio.NewWriter).
	sshBuffer = 4096
	// restWaits is how long a full buffer waits for what comes behind it. It comes at once, unless a packet ends with the buffer.
	restWaits = time.Millisecond
)

// joinedConn is a connection that SSH writes to. A packet that is longer than SSH's buffer is written in two pieces, the first of which
// fills that buffer; each is a system call, and wakes the server up, which can do nothing with the first. So that one waits here for the
// other.
type joinedConn struct {
	net.Conn

	mu    sync.Mutex
	first []byte // what waits
	timer *time.Timer
	err   error // of what was written when nobody asked for it
}

func newJoinedConn(conn net.Conn) *joinedConn {
	c := &joinedConn{Conn: conn, first: make([]byte, 0, sshBuffer)}
	c.timer = time.AfterFunc(restWaits, c.late)
	return c
}

// Write writes p, or keeps it until there is more.
func (c *joinedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case len(c.first) > 0:
		c.timer.Stop()
		pieces := net.Buffers{c.first, p}
		n, err := pieces.WriteTo(c.Conn)
		n -= int64(len(c.first))
		c.first = c.first[:0]
		return int(max(n, 0)), err
	case len(p) == sshBuffer:
		c.first = append(c.first, p...)
		c.timer.Reset(restWaits)
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// late writes what has waited in vain.
func (c *joinedConn) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.first) > 0 {
		_, c.err = c.Conn.Write(c.first)
		c.first = c.first[:0]
	}
}

// abort closes the connection and has the kernel throw away what it has not sent (SO_LINGER in socket(7)): it would go on trying for minutes.
func (c *joinedConn) abort() error {
	if conn, ok := c.Conn.(*net.TCPConn); ok {
		_ = conn.SetLinger(0) // it fails where the connection has ended
	}
	return c.Close()
}

// Close closes the connection, which lets a Write that waits for the other side return.
func (c *joinedConn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	return err
}
