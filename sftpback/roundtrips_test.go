// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// roundTrip is that of the network in these tests, which is none: time is that of testing/synctest, which passes only while everything
// waits. So what is measured is how often a transfer waits for the other side, whatever the machine is doing.
const roundTrip = 20 * time.Millisecond

// What a transfer costs over a server that works on one request after another, in round trips.
func TestRoundTrips(t *testing.T) {
	small, large := noise(4<<10), noise(1<<20)
	for name, c := range map[string]struct {
		trips int
		do    func(t *testing.T, f *far) error
	}{
		// the look at the path; OPEN; WRITE, FSYNC and FSTAT; CLOSE and RENAME
		"upload": {4, func(t *testing.T, f *far) error {
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, small)
			return err
		}},
		// the look at the path and OPEN; WRITE, FSYNC and FSTAT; CLOSE and RENAME
		"upload to a directory in which one was made": {3, func(t *testing.T, f *far) error {
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/x")}, small)
			return err
		}},
		// no more, as long as it fits into what may be under way
		"upload of a large file": {4, func(t *testing.T, f *far) error {
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, large)
			return err
		}},
		// the look at the path; OPEN; FSTAT and READ
		"download": {3, func(t *testing.T, f *far) error {
			got, err := f.download(t.Context(), "/small", 0)
			if !bytes.Equal(got, small) {
				t.Errorf("%d bytes", len(got))
			}
			return err
		}},
		// the look at the path and OPEN; FSTAT and READ
		"download of a file that was there": {2, func(t *testing.T, f *far) error {
			got, err := f.download(t.Context(), "/dir/first", 0)
			if !bytes.Equal(got, small) {
				t.Errorf("%d bytes", len(got))
			}
			return err
		}},
		"look": {1, func(t *testing.T, f *far) error {
			_, err := f.Stat(t.Context(), at("/dir/sub/small"))
			return err
		}},
		// the look at the path; OPENDIR; READDIR, that of the end, too
		"list": {3, func(t *testing.T, f *far) error {
			_, err := f.ReadDir(t.Context(), at("/dir"))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := overDistance(t, dir)
				f.put(t, "/small", small)
				f.put(t, "/dir/sub/small", small)
				if _, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/first")}, small); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Stat(t.Context(), at("/dir/first")); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				if err := c.do(t, f); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took != time.Duration(c.trips)*roundTrip {
					t.Errorf("%v round trips, want %d", float64(took)/float64(roundTrip), c.trips)
				}
			})
		})
	}
}

// A large file takes several channels where one carries no more than its window in a round trip: 16 MiB take 11 round trips on one, in
// either direction.
func TestLargeFileTakesSeveralChannels(t *testing.T) {
	data := noise(16 << 20)
	for name, c := range map[string]struct {
		most int
		do   func(t *testing.T, f *far) error
	}{
		"upload": {6, func(t *testing.T, f *far) error {
			r, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, data)
			if got, readErr := os.ReadFile(f.local("/x")); !bytes.Equal(got, data) {
				t.Errorf("%d bytes are stored, %v", len(got), readErr)
			}
			if r.Bytes != int64(len(data)) || !r.Fsynced || !r.Atomic {
				t.Errorf("receipt: %+v", r)
			}
			return err
		}},
		"download": {6, func(t *testing.T, f *far) error {
			got, err := f.download(t.Context(), "/large", 0)
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes are wrong", len(got))
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := overDistance(t, dir)
				f.put(t, "/large", data)
				// Channels are opened when they are wanted, and there for the next. How many are idle in the moment in which they are
				// asked for hangs on how goroutines are scheduled: four round trips are usual.
				for range 5 {
					begun := time.Now()
					if err := c.do(t, f); err != nil {
						t.Fatal(err)
					}
					took := time.Since(begun)
					t.Logf("%.1f round trips", float64(took)/float64(roundTrip))
					time.Sleep(time.Second)
					if took <= time.Duration(c.most)*roundTrip {
						return
					}
				}
				t.Errorf("never within %d round trips", c.most)
			})
		})
	}
}

// overDistance is a conduit to a server at the distance of roundTrip. It belongs to a bubble of testing/synctest.
func overDistance(t *testing.T, dir string) *far {
	t.Helper()
	f, _ := overScriptedDistance(t, dir)
	return f
}

// overScriptedDistance is overDistance, and the server.
func overScriptedDistance(t *testing.T, dir string) (*far, *sftpfault.Server) {
	t.Helper()
	network := &distance{calls: make(chan net.Conn), closed: make(chan struct{})}
	o := sftpfault.Options{Dir: filepath.Join(dir, "srv"), User: "ftpgw", Packet: maxPacket, Ordered: true, Listener: network}
	if err := os.MkdirAll(filepath.Join(o.Dir, "in", "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	var err error
	if o.AuthorizedKey, err = sftpserver.NewClientKey(key); err != nil {
		t.Fatal(err)
	}
	s, err := sftpfault.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Name: "far", Address: "far:22", User: o.User, Identity: key, HostKey: s.HostKeyLine(), Root: "/in", Instance: "test0001"})
	if err != nil {
		t.Fatal(err)
	}
	c.pool.dialer.connect = func(ctx context.Context, _ Config) (net.Conn, error) { return network.dial(ctx) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &far{Conduit: c, root: filepath.Join(o.Dir, "in"), log: &logBuffer{}}
	f.ready(t)
	time.Sleep(time.Second) // until what the start has begun is over
	return f, s
}

// distance is a network in memory, and its only listener. It carries everything at once, each piece half a round trip after it was sent.
type distance struct {
	calls  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (d *distance) dial(ctx context.Context) (net.Conn, error) {
	there, back := newWay(), newWay()
	select {
	case d.calls <- &farConn{in: there, out: back}:
		return &farConn{in: back, out: there}, nil
	case <-d.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *distance) Accept() (net.Conn, error) {
	select {
	case c := <-d.calls:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *distance) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *distance) Addr() net.Addr { return farAddr{} }

type farAddr struct{}

func (farAddr) Network() string { return "memory" }
func (farAddr) String() string  { return "192.0.2.1:22" }

// way is one direction of a connection.
type way struct {
	mu     sync.Mutex
	moved  sync.Cond
	pieces []farPiece
	ended  bool
}

type farPiece struct {
	bytes []byte
	due   time.Time
}

func newWay() *way {
	w := &way{}
	w.moved.L = &w.mu
	return w
}

func (w *way) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.moved.Broadcast()
}

// farConn is one end of a connection. It has one reader and one writer at a time.
type farConn struct{ in, out *way }

func (c *farConn) Write(p []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.ended {
		return 0, net.ErrClosed
	}
	c.out.pieces = append(c.out.pieces, farPiece{bytes.Clone(p), time.Now().Add(roundTrip / 2)})
	c.out.moved.Broadcast()
	return len(p), nil
}

func (c *farConn) Read(p []byte) (int, error) {
	c.in.mu.Lock()
	for len(c.in.pieces) == 0 && !c.in.ended {
		c.in.moved.Wait()
	}
	if c.in.ended {
		c.in.mu.Unlock()
		return 0, io.EOF
	}
	due := c.in.pieces[0].due
	c.in.mu.Unlock()
	time.Sleep(time.Until(due)) // the piece stays the first: nobody else reads
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	first := &c.in.pieces[0]
	n := copy(p, first.bytes)
	if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
		c.in.pieces = c.in.pieces[1:]
	}
	return n, nil
}

func (c *farConn) Close() error {
	c.in.end()
	c.out.end()
	return nil
}

func (c *farConn) LocalAddr() net.Addr              { return farAddr{} }
func (c *farConn) RemoteAddr() net.Addr             { return farAddr{} }
func (c *farConn) SetDeadline(time.Time) error      { return nil }
func (c *farConn) SetReadDeadline(time.Time) error  { return nil }
func (c *farConn) SetWriteDeadline(time.Time) error { return nil }
