// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"sync"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// buffers are packets that are not in use, in two sizes: most files of devices need no more than a small one, and a window of large ones
// would be many times what they need.
type buffers struct {
	small, large sync.Pool // of *[]byte
}

// buffer is one with room for so many bytes of data behind wire.Room.
func (c *Conduit) buffer(size int) *[]byte {
	pool, size := &c.buffers.large, max(size, wire.Room+size)
	if size <= wire.Room+safePacket {
		pool, size = &c.buffers.small, wire.Room+safePacket
	}
	if b, ok := pool.Get().(*[]byte); ok && len(*b) >= size {
		return b
	}
	b := make([]byte, size)
	return &b
}

// recycle takes a buffer back.
func (c *Conduit) recycle(b *[]byte) {
	if len(*b) == wire.Room+safePacket {
		c.buffers.small.Put(b)
		return
	}
	c.buffers.large.Put(b)
}
