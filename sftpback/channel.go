// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// channel is one SFTP session. An OpenSSH server gives each its own process, which works on one request after another.
type channel struct {
	link      *link
	client    *wire.Client
	watchdog  *watchdog
	writeSize int          // bytes in one write
	readSize  atomic.Int64 // bytes in one read
	dead      atomic.Bool  // a request on it was lost

	busy int // who uses it; guarded by the pool's lock
}

// reads is how many bytes are asked for in one read.
func (ch *channel) reads() int { return int(ch.readSize.Load()) }

// gave notes that a read brought fewer bytes than were asked for, and more followed. Some servers never send more than 32 KiB, whatever they
// say; to ask for the rest of each packet would take a round trip each time.
func (ch *channel) gave(n int) {
	if n >= leastRead && n < ch.reads() {
		ch.readSize.Store(int64(n))
	}
}

// leastRead is a size below which a read is not taken for what the server is able to send.
const leastRead = 16 << 10

// has reports whether the server offers an extension in the version that this program knows.
func (ch *channel) has(extension string) bool {
	version, ok := ch.client.Extension(extension)
	return ok && (version == "1" || extension == extStatVFS && version == "2")
}

// ordered reports whether the server is known to work on the requests of a channel one after another, in the order in which they were
// sent. The draft (draft-ietf-secsh-filexfer-02 section 6.1) demands no less of all servers for requests about one file, but some work on
// several at a time all the same; OpenSSH's does not.
func (ch *channel) ordered() bool {
	return bytes.HasPrefix(ch.link.client.ServerVersion(), []byte(orderedServer))
}

// orderedServer is how OpenSSH begins its identification (RFC 4253 section 4.2).
const orderedServer = "SSH-2.0-OpenSSH"

// Extensions of OpenSSH's PROTOCOL, section 4.
const (
	extPosixRename = "posix-rename@openssh.com"
	extFsync       = "fsync@openssh.com"
	extStatVFS     = "statvfs@openssh.com"
)

// do runs f, which makes one request about remote. The connection is ended when the server stays silent for too long, which makes f
// return; so do always returns.
func (ch *channel) do(op, remote string, f func() error) error {
	if cause := ch.link.failure(); cause != nil {
		return lost(cause)
	}
	request := ch.watchdog.begin(op, remote)
	err := f()
	ch.watchdog.end(request)
	if err == nil {
		return nil
	}
	if isAnswer(err) || (op == "read" || op == "readdir") && err == io.EOF {
		return translated(err)
	}
	ch.leave() // nobody else shall be sent here until the end of the channel has been noticed everywhere
	if !isLost(err) {
		// It could not be sent, or what came back is not SFTP: either way nothing more can be learned here.
		ch.link.fail(err)
	}
	return fmt.Errorf("%s: %w", op, lost(ch.link.failure()))
}

// doSlow is do for a request on which the server may work for long.
func (ch *channel) doSlow(op, remote string, f func() error) error {
	defer ch.watchdog.expectSilence()()
	return ch.do(op, remote, f)
}

// heardReader tells the watchdog of its channel when bytes come in.
type heardReader struct {
	io.Reader
	watchdog *watchdog
}

func (r heardReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.watchdog.hear()
	}
	return n, err
}
