// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// endpoint is where the next data connection will come from or go to.
type endpoint interface {
	// open makes the one data connection. It ends when ctx does.
	open(ctx context.Context) (*dataConn, error)
	// Close gives up what open has not used. It may be called more than once.
	Close() error
}

// passive waits for the device (PASV, EPSV).
type passive struct {
	listener *net.TCPListener
	peer     netip.Addr // only this address may connect
	timeout  time.Duration
	progress progress
	release  func()           // gives the port back to the zone
	stranger func(netip.Addr) // told of who else has connected
	once     sync.Once
	expiry   *time.Timer // closes what no transfer has begun to use
	logger   *slog.Logger
}

// prepare has the endpoint closed when no transfer uses it in time: ports are few, and a device that holds one for nothing keeps
// others from theirs. A transfer that comes later finds no data connection.
func (p *passive) prepare() {
	p.expiry = time.AfterFunc(p.timeout, func() {
		if err := p.shut(); err != nil {
			p.logger.Debug("close of an unused passive listener", "error", err)
		}
	})
}

// open accepts the device's connection. A connection from another address is closed and the wait goes on: a stranger can neither
// steal the transfer nor end it (RFC 2577, 4).
func (p *passive) open(ctx context.Context) (*dataConn, error) {
	p.expiry.Stop()
	defer context.AfterFunc(ctx, func() { _ = p.listener.SetDeadline(time.Unix(1, 0)) })()
	if err := p.listener.SetDeadline(time.Now().Add(p.timeout)); err != nil {
		return nil, fmt.Errorf("wait for the data connection: %w", err)
	}
	for {
		if ctx.Err() != nil { // it may have ended before the deadline above was set
			return nil, context.Cause(ctx)
		}
		conn, err := p.listener.AcceptTCP()
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, fmt.Errorf("wait for the data connection: %w", err)
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if from == p.peer {
			if err := p.Close(); err != nil {
				p.logger.Warn("close of a passive listener", "error", err)
			}
			return newDataConn(ctx, conn, p.progress), nil
		}
		p.stranger(from)
		if err := conn.Close(); err != nil {
			p.logger.Debug("close of a stranger's data connection", "error", err)
		}
	}
}

// Close frees the port.
func (p *passive) Close() error {
	p.expiry.Stop()
	return p.shut()
}

func (p *passive) shut() (err error) {
	p.once.Do(func() {
		err = p.listener.Close()
		p.release()
	})
	return err
}

// active connects to the device (PORT, EPRT).
type active struct {
	to       netip.AddrPort
	from     netip.AddrPort // the control connection's local address; port 0 is any
	device   string         // the zone's network interface, or ""
	timeout  time.Duration
	progress progress
}

// open connects. RFC 959, 3.2 has active data connections come from the port below the control port; where that one cannot be
// had (it takes a privilege, and each device port can be reached from it only once at a time) another is used.
func (a *active) open(ctx context.Context) (*dataConn, error) {
	ctx2, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(a.from), Control: sourceControl(a.device)}
	conn, err := d.DialContext(ctx2, "tcp", a.to.String())
	if err != nil && a.from.Port() != 0 && isAddressTrouble(err) {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.from.Addr(), 0))
		conn, err = d.DialContext(ctx2, "tcp", a.to.String())
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("connect to %s: %w", a.to, err)
	}
	return newDataConn(ctx, conn.(*net.TCPConn), a.progress), nil
}

func (a *active) Close() error { return nil }

// errStalled says that a data connection made no progress for as long as the zone allows.
var errStalled = errors.New("no progress")

// errTooSlow says that a device moves fewer bytes than the zone demands.
var errTooSlow = errors.New("slower than the zone's minimum_rate")

// progress is what a data connection must make of it: a byte within stall, and, over every stall that was spent waiting for the
// device, rate bytes per second (0 is no limit). Time that the gateway itself takes does not count.
type progress struct {
	stall time.Duration
	rate  int64
}

// progress is what the zone demands.
func (z *zone) progress() progress { return progress{z.StallTimeout, z.Limits.MinimumRate} }

// dataError is an error of an open data connection, as against one of what is behind the gateway.
type dataError struct{ cause error }

func (e *dataError) Error() string { return "data connection: " + e.cause.Error() }
func (e *dataError) Unwrap() error { return e.cause }

// Evidence is that of an orderly end.
func (e *dataError) Evidence() gateway.Evidence {
	if errors.Is(e.cause, errTruncated) {
		return gateway.CloseNotify
	}
	return gateway.Fin
}

// dataConn is an open data connection. It times out by progress, not by total time: a slow device may take hours. It has none of
// *net.TCPConn's copying methods, so that the library's io.Copy must ask the file.
type dataConn struct {
	conn   *net.TCPConn
	stream net.Conn // what the bytes go through: conn, or TLS over it
	progress
	deadline time.Time     // the one that is set
	waited   time.Duration // for the device, in the period that runs
	moved    int64         // bytes in that period
	ended    atomic.Bool
	stop     func() bool
}

// newDataConn ties a connection to ctx: when that ends the connection is reset.
func newDataConn(ctx context.Context, conn *net.TCPConn, p progress) *dataConn {
	d := &dataConn{conn: conn, stream: conn, progress: p}
	d.stop = context.AfterFunc(ctx, d.reset)
	return d
}

// reset ends the connection with RST instead of FIN: a device must not take a broken transfer for a whole one.
func (d *dataConn) reset() {
	if d.ended.CompareAndSwap(false, true) {
		_ = d.conn.SetLinger(0)
		_ = d.conn.Close()
	}
}

// extend moves the deadline so that it is never less than the stall time away, nor more than a quarter further: setting it anew for
// every read would cost more than it tells.
func (d *dataConn) extend() error {
	now := time.Now()
	if d.deadline.Sub(now) >= d.stall {
		return nil
	}
	d.deadline = now.Add(d.stall + d.stall/4)
	return d.conn.SetDeadline(d.deadline)
}

func (d *dataConn) Read(p []byte) (int, error) {
	if err := d.extend(); err != nil {
		return 0, d.explain(err)
	}
	begin := time.Now()
	n, err := d.stream.Read(p)
	if err == nil {
		err = d.account(begin, n)
	}
	return n, d.explain(err)
}

// account adds up what has moved, and for how long the device was waited for.
func (d *dataConn) account(begin time.Time, n int) error {
	d.waited += time.Since(begin)
	d.moved += int64(n)
	if d.waited < d.stall {
		return nil
	}
	if float64(d.moved) < float64(d.rate)*d.waited.Seconds() {
		return fmt.Errorf("%w: %d bytes in %s", errTooSlow, d.moved, d.waited.Round(time.Millisecond))
	}
	d.waited, d.moved = 0, 0
	return nil
}

func (d *dataConn) Write(p []byte) (int, error) {
	// A large write makes progress in pieces that only the kernel sees; handing it over in pieces shows them.
	const piece = 64 << 10
	written := 0
	for {
		if err := d.extend(); err != nil {
			return written, d.explain(err)
		}
		begin := time.Now()
		n, err := d.stream.Write(p[written:min(written+piece, len(p))])
		written += n
		if err == nil {
			err = d.account(begin, n)
		}
		if err != nil || written == len(p) {
			return written, d.explain(err)
		}
	}
}

// explain marks what went wrong on this connection; its orderly end stays io.EOF.
func (d *dataConn) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		err = fmt.Errorf("%w for %s", errStalled, d.stall)
	}
	return &dataError{err}
}

// Close ends the connection in order; TLS says so with a close_notify first.
func (d *dataConn) Close() error {
	d.stop()
	if !d.ended.CompareAndSwap(false, true) {
		return nil
	}
	return d.stream.Close()
}

func (d *dataConn) LocalAddr() net.Addr                { return d.conn.LocalAddr() }
func (d *dataConn) RemoteAddr() net.Addr               { return d.conn.RemoteAddr() }
func (d *dataConn) SetDeadline(t time.Time) error      { return d.conn.SetDeadline(t) }
func (d *dataConn) SetReadDeadline(t time.Time) error  { return d.conn.SetReadDeadline(t) }
func (d *dataConn) SetWriteDeadline(t time.Time) error { return d.conn.SetWriteDeadline(t) }
