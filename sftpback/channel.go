// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// Bounds of one request, in units of RequestTimeout: patience with a request that the server works on in silence (a flush of a
// large file), and the end of patience with one that is never answered although others are.
const (
	slowFactor = 4
	lastFactor = 10
)

// channel is one SFTP session. An OpenSSH server gives each its own process, which works on one request after another.
type channel struct {
	link      *link
	client    *wire.Client
	timeout   time.Duration
	writeSize int          // bytes in one write
	readSize  atomic.Int64 // bytes in one read

	begun time.Time    // what times are counted from, so that a clock that is set does not matter
	heard atomic.Int64 // when bytes last came in, in nanoseconds from begun
	slow  atomic.Int64 // until when silence is expected, likewise

	dead atomic.Bool // a request on it was lost

	busy int // who uses it; guarded by the pool's lock
}

// stamp is a time as heard and slow hold it.
func (ch *channel) stamp(t time.Time) int64 { return int64(t.Sub(ch.begun)) }

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
	return strings.HasPrefix(string(ch.link.client.ServerVersion()), orderedServer)
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
	watch := ch.watch(op, remote)
	err := f()
	watch.stop()
	if err == nil || isAnswer(err) || (op == "read" || op == "readdir") && err == io.EOF {
		return translated(err)
	}
	ch.dead.Store(true) // nobody else shall be sent here until the end of the channel has been noticed everywhere
	if !isLost(err) {
		// It could not be sent, or what came back is not SFTP: either way nothing more can be learned here.
		ch.link.fail(err)
	}
	return fmt.Errorf("%s: %w", op, lost(ch.link.failure()))
}

// doSlow is do for a request on which the server may work for long.
func (ch *channel) doSlow(op, remote string, f func() error) error {
	until := ch.stamp(time.Now()) + int64((slowFactor-1)*ch.timeout)
	for old := ch.slow.Load(); old < until && !ch.slow.CompareAndSwap(old, until); old = ch.slow.Load() {
	}
	defer ch.slow.CompareAndSwap(until, 0) // what comes after it need not be slow
	return ch.do(op, remote, f)
}

// watch ends the link when nothing has come in on this channel for RequestTimeout. Requests of others that are answered
// meanwhile count: a request that waits for its turn is not lost.
func (ch *channel) watch(op, remote string) *watch {
	begun := time.Now()
	return newWatch(ch.timeout, func() (time.Duration, bool) {
		now := time.Now()
		since := max(ch.stamp(begun), ch.heard.Load(), ch.slow.Load())
		left := ch.timeout - time.Duration(ch.stamp(now)-since)
		if left > 0 && now.Sub(begun) < lastFactor*ch.timeout {
			return left, true
		}
		ch.link.fail(fmt.Errorf("no answer to %s %s within %v", op, remote, now.Sub(begun).Round(time.Millisecond)))
		return 0, false
	})
}

// heardReader notes on its channel when bytes come in.
type heardReader struct {
	io.Reader
	ch *channel
}

func (r heardReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.ch.heard.Store(r.ch.stamp(time.Now()))
	}
	return n, err
}
