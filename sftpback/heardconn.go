// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"sync/atomic"
	"time"
)

// heardConn is a connection as SSH has it. It remembers when bytes last came in, so that a connection is not given up while it carries
// something. SSH reads each of its packets, of 32 KiB at most, in three pieces; here several packets come in one.
//
// What is written goes to joinedConn. To have it wait in a queue, for other writes to join it while a goroutine sends, was tried: it
// took half as much CPU time again.
type heardConn struct {
	*joinedConn
	begun time.Time    // what last is counted from, so that a clock that is set does not matter
	last  atomic.Int64 // nanoseconds from begun

	input  []byte // what has been read and not been asked for yet; of the one reader
	buffer []byte // its memory
}

// inputHolds is as much as is read at once.
const inputHolds = 128 << 10

func newHeardConn(conn *joinedConn) *heardConn {
	c := &heardConn{joinedConn: conn, begun: time.Now(), buffer: make([]byte, inputHolds)}
	c.hear()
	return c
}

// Read has one caller at a time.
func (c *heardConn) Read(p []byte) (int, error) {
	if len(c.input) == 0 {
		n, err := c.Conn.Read(c.buffer)
		if n == 0 {
			return 0, err
		}
		c.hear()
		c.input = c.buffer[:n] // an error that came with bytes comes again
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	return n, nil
}

func (c *heardConn) hear() { c.last.Store(int64(time.Since(c.begun))) }

// silent is the time since something was last heard.
func (c *heardConn) silent() time.Duration { return time.Since(c.begun) - time.Duration(c.last.Load()) }
