// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// linkProfile is what a link does to the bytes that it carries.
type linkProfile struct {
	delay time.Duration // one way
	rate  float64       // bytes per second in each direction; 0 is as fast as this machine
}

// link stands between two programs as a network of some length would: each piece that is read on one side is written on the other when
// it has been under way for the delay, and not before the pieces ahead of it have gone through at the rate. Any number of pieces is under
// way at once, and the two directions, and different connections, know nothing of each other, so that nothing waits but for its own
// time. What it cannot show is loss, and a TCP that has to find out how much the path carries.
type link struct {
	profile  linkProfile
	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

const (
	linkPiece = 64 << 10
	// linkHolds bounds what is under way in one direction of one connection: more than any window times any rate here.
	linkHolds = 64 << 20
)

// startLink carries connections to an address until the test ends. Its own address is in listener.
func startLink(tb testing.TB, profile linkProfile, to string) *link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("start a link: %v", err)
	}
	l := &link{profile: profile, to: to, listener: listener}
	l.running.Go(func() { l.accept(tb) })
	tb.Cleanup(l.close)
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) close() {
	_ = l.listener.Close() // whatever it says, accept ends
	l.mu.Lock()
	l.closed = true
	for _, c := range l.conns {
		_ = c.Close() // the programs on both sides have been told what they are to be told
	}
	l.mu.Unlock()
	l.running.Wait()
}

func (l *link) accept(tb testing.TB) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			tb.Logf("link: %v", errors.Join(err, near.Close()))
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, far)
		if l.closed {
			_, _ = near.Close(), far.Close()
		}
		l.mu.Unlock()
		l.carry(near, far)
		l.carry(far, near)
	}
}

// piece is what was read at once, and when it comes out.
type piece struct {
	bytes []byte
	due   time.Time
}

// carry carries one direction.
func (l *link) carry(from, to net.Conn) {
	under := make(chan piece, linkHolds/linkPiece)
	l.running.Go(func() {
		defer close(under)
		free := time.Now() // when the sender's end has put the last piece on the line
		for {
			p := make([]byte, linkPiece)
			n, err := from.Read(p)
			if n > 0 {
				if now := time.Now(); free.Before(now) {
					free = now
				}
				if l.profile.rate > 0 {
					free = free.Add(time.Duration(float64(n) / l.profile.rate * float64(time.Second)))
				}
				under <- piece{p[:n], free.Add(l.profile.delay)}
			}
			if err != nil {
				return
			}
		}
	})
	l.running.Go(func() {
		for p := range under {
			waitUntil(p.due)
			if _, err := to.Write(p.bytes); err != nil {
				_ = from.Close() // ends the reader
			}
		}
		_ = to.(*net.TCPConn).CloseWrite() // the end travels, too; where the connection is gone it has been seen
	})
}

// waitUntil is exact where time.Sleep is not: the runtime's poller waits in whole milliseconds.
func waitUntil(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		t := unix.NsecToTimespec(int64(left))
		_ = unix.Nanosleep(&t, nil) // interrupted by a signal, it is called again
	}
}

func (p linkProfile) String() string {
	if p == (linkProfile{}) {
		return "loopback"
	}
	return fmt.Sprintf("%v round trip", 2*p.delay)
}
