// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/policy"
)

// Zone is where devices speak FTP.
type Zone struct {
	Name           string
	Listen         netip.AddrPort
	Interface      string // the only network interface that devices come in by; "" for any
	PassivePorts   PortRange
	ActivePorts    PortRange  // that a device may name in PORT and EPRT; the zero range for none
	PassiveAddress netip.Addr // shown in the reply to PASV, where it is not the control connection's own
	IdleTimeout    time.Duration
	LoginTimeout   time.Duration // from the connection, or from REIN, to a successful login
	DataTimeout    time.Duration // for a data connection to be opened
	StallTimeout   time.Duration // for a data connection without progress
	// Settle is how long after the end of an upload's data the control connection must still stand. 0 stands for a time that is
	// measured: 20 ms, or two round trips of the control connection where that is more.
	Settle   time.Duration
	Greeting string
	// RefuseWithoutConduit: while the conduit of a device is down its login is answered with 421, instead of each of its transfers
	// with 450.
	RefuseWithoutConduit bool
	TLS                  *TLS   // nil: the zone speaks no TLS
	Quirks               Quirks // before login, and where the device leaves a choice open
	Limits               Limits
}

// Options is what a Front is made of.
type Options struct {
	Zones   []Zone
	Devices []Device
	Limits  Totals
	Gateway *gateway.Gateway
	Log     gateway.Recorder
	Logger  *slog.Logger
	Now     func() time.Time
}

// Front is the FTP server: one listener for each zone, one session for each control connection.
type Front struct {
	zones    []*zone
	gateway  *gateway.Gateway
	log      gateway.Recorder
	logger   *slog.Logger
	login    atomic.Pointer[login]
	seed     maphash.Seed // of this process, for the decoys of login
	commands map[string]command
	now      func() time.Time
	digests  chan struct{} // one for each that is being made

	connections *places // of all zones
	transfers   *places
	checker     passwords
	incidents   *incidents
	repeats     *repeats
	drained     chan struct{} // closed when the front drains

	mu       sync.Mutex
	draining bool
	island   bool
	sessions map[*session]struct{}
	devices  map[presence]int // sessions that are logged in
	running  sync.WaitGroup   // the sessions
}

// zone is a Zone at work.
type zone struct {
	Zone
	listener net.Listener
	ports    *ports
	pulse    pulse
	tls      atomic.Pointer[tls.Config] // nil where the zone speaks no TLS
	doors    *doors
	guard    *guard
}

// dataPort is the source port of active data connections: the one below the control port where that is the standard one (RFC 959,
// 3.2), else any.
func (z *zone) dataPort() uint16 {
	if z.Listen.Port() == 21 {
		return 20
	}
	return 0
}

// New makes a Front.
func New(o Options) *Front {
	f := &Front{
		gateway: o.Gateway, log: o.Log, logger: o.Logger, commands: commandTable(), now: o.Now,
		digests:  make(chan struct{}, maxDigests),
		sessions: make(map[*session]struct{}), devices: make(map[presence]int), drained: make(chan struct{}),
		connections: &places{most: o.Limits.Connections}, transfers: &places{most: o.Limits.Transfers},
		seed: maphash.MakeSeed(), checker: credential.NewChecker(o.Limits.PasswordChecks), incidents: newIncidents(o.Log, o.Logger), repeats: newRepeats(o.Logger),
	}
	f.login.Store(newLogin(o.Devices, f.seed))
	for _, z := range o.Zones {
		at := &zone{Zone: z, ports: newPorts(z.PassivePorts, z.Interface), doors: newDoors(z.Limits, f.connections), guard: newGuard(z.Limits)}
		if z.TLS != nil {
			at.tls.Store(z.TLS.Config)
		}
		f.zones = append(f.zones, at)
	}
	return f
}

// SetTLS gives a zone that speaks TLS other certificates or authorities, made by LoadTLS. Sessions that have begun TLS go on with
// the old ones.
func (f *Front) SetTLS(zone string, c *tls.Config) {
	for _, z := range f.zones {
		if z.Name == zone && z.TLS != nil {
			z.tls.Store(c)
		}
	}
}

// Listen opens the listeners of all zones, or none.
func (f *Front) Listen(ctx context.Context) error {
	for _, z := range f.zones {
		l, err := listenerOf(z.Interface).Listen(ctx, "tcp", z.Listen.String())
		if err != nil {
			return errors.Join(fmt.Errorf("zone %q: %w", z.Name, err), f.closeListeners())
		}
		z.listener = l
	}
	return nil
}

// Addresses are those at which the zones listen, in the order of the configuration.
func (f *Front) Addresses() []net.Addr {
	var addrs []net.Addr
	for _, z := range f.zones {
		addrs = append(addrs, z.listener.Addr())
	}
	return addrs
}

func (f *Front) closeListeners() (err error) {
	for _, z := range f.zones {
		if z.listener != nil {
			err = errors.Join(err, z.listener.Close())
		}
	}
	return err
}

// Serve accepts devices until ctx ends. Then it accepts no more, lets idle sessions go, and gives those that are in the middle of
// a command the grace to finish it; what is not finished then is aborted. It returns when no session is left.
func (f *Front) Serve(ctx context.Context, grace time.Duration) error {
	life, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	watching, unwatch := context.WithCancel(life)
	var counting sync.WaitGroup
	counting.Go(func() { f.count(watching) })
	defer counting.Wait()
	defer unwatch()
	var accepting sync.WaitGroup
	for _, z := range f.zones {
		accepting.Go(func() { f.accept(life, z) })
	}
	<-ctx.Done()
	err := f.closeListeners()
	accepting.Wait()
	f.drain()
	timer := time.AfterFunc(grace, func() {
		f.logger.Warn("grace is over, running transfers are aborted", "grace", grace)
		cut(errShutdown)
	})
	defer timer.Stop()
	f.running.Wait()
	return err
}

// accept takes connections until the listener is closed.
func (f *Front) accept(ctx context.Context, z *zone) {
	for {
		conn, err := z.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case z.pulse.answer(z.listener, err):
			continue
		case err != nil: // out of descriptors, or the like: what is there goes on, and a moment later it may be over
			f.repeats.report("a device could not be accepted", err, "zone", z.Name)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		f.admit(ctx, z, conn.(*net.TCPConn))
	}
}

// admit begins the session of a connection that the zone lets in.
func (f *Front) admit(ctx context.Context, z *zone, conn *net.TCPConn) {
	v, err := z.doors.enter(peerOf(conn).Addr())
	if err != nil {
		f.turnAway(z, conn, err)
		return
	}
	f.running.Add(1)
	go func() {
		defer f.running.Done()
		defer v.leave()
		f.handle(ctx, z, conn, v)
	}()
}

// turnAway answers a connection that a limit is in the way of. Nothing waits for it: the reply fits the empty buffer of the
// connection. Where TLS comes first it would be none, and is left out.
func (f *Front) turnAway(z *zone, conn *net.TCPConn, cause error) {
	peer := peerOf(conn)
	kind := "connections"
	var limit *limitError
	if errors.As(cause, &limit) {
		kind = limit.name
	}
	f.incidents.report(audit.Record{Event: audit.SecurityLimit, Zone: z.Name, Peer: peer.String(), Cause: cause.Error()}, peer.Addr(), kind, 0)
	var err error
	if z.TLS == nil || !z.TLS.Implicit {
		err = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if err == nil {
			_, err = io.WriteString(conn, reply{code: 421, text: "Too many connections, try again later."}.String())
		}
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		f.logger.Debug("device turned away", "zone", z.Name, "error", err)
	}
}

// peerOf is the far end of a connection.
func peerOf(conn *net.TCPConn) netip.AddrPort {
	peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
}

// handle runs one session.
func (f *Front) handle(ctx context.Context, z *zone, conn *net.TCPConn, v *visit) {
	s, err := f.newSession(z, conn, v)
	if err != nil {
		f.logger.Warn("device lost at once", "zone", z.Name, "error", errors.Join(err, conn.Close()))
		return
	}
	ctx, s.turn.cut = context.WithCancelCause(ctx)
	defer s.turn.cut(nil)
	// When the session is cut the replies that are still to be sent get a moment, and no more.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(time.Second)) })()
	f.mu.Lock()
	f.sessions[s] = struct{}{}
	if f.draining {
		s.drain()
	}
	if f.island {
		s.bar()
	}
	f.mu.Unlock()
	s.end(s.serve(ctx))
	f.mu.Lock()
	delete(f.sessions, s)
	f.mu.Unlock()
}

func (f *Front) newSession(z *zone, conn *net.TCPConn, v *visit) (*session, error) {
	if err := inlineUrgentData(conn); err != nil {
		return nil, err
	}
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	s := &session{
		front: f, zone: z, visit: v, conn: conn, wire: conn, lines: newLineReader(conn, z.Limits.lineLength()), begun: time.Now(), local: local.Addr().Unmap(),
		who:     gateway.Session{ID: newID(), Zone: z.Name, Peer: peerOf(conn)},
		loginBy: time.Now().Add(z.LoginTimeout), quirks: z.Quirks, cwd: "/", allocated: policy.SizeUnknown, facts: allFacts(), hash: digests()[0].name,
	}
	s.log = f.logger.With("session", s.who.ID, "zone", z.Name, "peer", s.who.Peer)
	return s, nil
}

// drain ends every session that is idle, and each other when it becomes so.
func (f *Front) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
	close(f.drained)
	for s := range f.sessions {
		s.drain()
	}
}

// newID is a name for a session, unique among all of them.
func newID() string {
	var b [6]byte
	rand.Read(b[:]) // crypto/rand.Read never fails
	return hex.EncodeToString(b[:])
}

// inlineUrgentData keeps the urgent byte of a telnet Synch in its place in the stream (RFC 959, 4.1.3: ABOR comes behind one).
func inlineUrgentData(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("set up a control connection: %w", err)
	}
	var serr error
	err = raw.Control(func(fd uintptr) { serr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1) })
	return errors.Join(err, serr)
}
