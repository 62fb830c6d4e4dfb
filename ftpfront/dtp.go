// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	ftpserver "github.com/fclairamb/ftpserverlib"
	"github.com/spf13/afero"
)

// dtp is the server-DTP of RFC 959: one data transfer by ftpserverlib, from the opening of the data connection to its end.
//
// The library brings its own protocol interpreter whose replies, texts and command table cannot be changed from outside. So it
// never sees a device: each transfer gets a library session of its own, on a connection in memory, over which a fixed dialogue
// is held (log in, announce a data connection, one STOR or RETR). The library's replies steer that dialogue and go no further.
type dtp struct {
	control net.Conn // for its addresses only
	endp    endpoint
	file    ftpserver.FileTransfer
	begun   func(*dataConn) error                  // called when the data connection is open, before the first byte
	protect func(context.Context, *dataConn) error // called behind begun, or nil for a data connection in clear
	logger  *slog.Logger
}

// direction is which way the bytes go.
type direction uint8

const (
	fromDevice direction = iota // STOR
	toDevice                    // RETR
)

// errDataSecurity says that TLS on the data connection was refused by one side, so that trying again cannot help.
var errDataSecurity = errors.New("TLS on the data connection was refused")

// errNoDataConnection says that the device's data connection did not come about.
var errNoDataConnection = errors.New("the data connection could not be opened")

// dialogue is a transfer that has begun.
type dialogue struct {
	*driver
	*script
}

// begin has the library carry out the transfer, in a goroutine of its own. It has let go of everything when the dialogue is over.
func (d *dtp) begin(ctx context.Context, way direction) (dialogue, error) {
	verb := "RETR /"
	if way == fromDevice {
		verb = "STOR /"
	}
	script := newScript(d.control, []string{"PASS d", "EPSV", verb}) // a login without USER is enough for the library
	drv := &driver{dtp: d, ctx: ctx, listener: &oneShotListener{conn: script, addr: d.control.LocalAddr()}}
	server := ftpserver.NewFtpServer(drv)
	server.Logger = slog.New(demoted{d.logger.Handler()})
	if err := server.Listen(); err != nil {
		return dialogue{}, fmt.Errorf("start the data transfer process: %w", err)
	}
	if err := server.Serve(); err != nil { // returns as soon as the one session has begun
		return dialogue{}, fmt.Errorf("begin a data transfer: %w", err)
	}
	return dialogue{drv, script}, nil
}

// outcome tells how a dialogue went that is over. The file's own Close and TransferError have been called then, unless the data connection
// never opened or the library gave up before it asked for the file. An error is about the dialogue; what became of the bytes is for the
// file to know.
func (d dialogue) outcome() error {
	switch {
	case d.opened != nil:
		return d.opened
	case d.code == ftpserver.StatusClosingDataConn:
		return nil
	default:
		return fmt.Errorf("the data transfer process ended with %d", d.code)
	}
}

// demoted logs what the library says at debug level: it speaks of the dialogue in memory, what matters of it comes back as an error.
type demoted struct{ slog.Handler }

func (h demoted) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	r.Message = "ftpserverlib: " + r.Message
	return h.Handler.Handle(ctx, r)
}

func (h demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	if !h.Enabled(context.Background(), slog.LevelDebug) {
		return h // nobody will see them, and a handler writes them down at once
	}
	return demoted{h.Handler.WithAttrs(attrs)}
}
func (h demoted) WithGroup(name string) slog.Handler { return demoted{h.Handler.WithGroup(name)} }

// driver is what the library asks during the dialogue. Its ClientDriver half has nothing to offer but the one file.
type driver struct {
	afero.Fs // nil: the dialogue holds no command that would use it
	dtp      *dtp
	ctx      context.Context
	listener net.Listener
	opened   error // why the data connection did not open
}

// GetSettings sets every field that has a meaning here, since the library's defaults are made for other servers.
func (d *driver) GetSettings() (*ftpserver.Settings, error) {
	return &ftpserver.Settings{
		Listener:               d.listener,
		ListenAddr:             d.listener.Addr().String(),
		Banner:                 "-",
		IdleTimeout:            1 << 20, // the script never idles; endpoints and data connections keep their own deadlines
		ConnectionTimeout:      1 << 20,
		DisableMLSD:            true,
		DisableMLST:            true,
		DisableMFMT:            true,
		DisableLISTArgs:        true,
		DisableSite:            true,
		DisableActiveMode:      true,
		DisableSTAT:            true,
		DisableSYST:            true,
		TLSRequired:            ftpserver.ClearOrEncrypted,
		DefaultTransferType:    ftpserver.TransferTypeBinary,
		DisableASCIIConversion: true,
		ActiveConnectionsCheck: ftpserver.IPMatchRequired,
		PasvConnectionsCheck:   ftpserver.IPMatchRequired,
	}, nil
}

func (d *driver) ClientConnected(ftpserver.ClientContext) (string, error) { return "-", nil }
func (d *driver) ClientDisconnected(ftpserver.ClientContext)              {}
func (d *driver) GetTLSConfig() (*tls.Config, error)                      { return nil, errors.ErrUnsupported }

// AuthUser lets the script in: who the device is was settled by the protocol interpreter.
func (d *driver) AuthUser(ftpserver.ClientContext, string, string) (ftpserver.ClientDriver, error) {
	return d, nil
}

// GetHandle hands over the file whose fate was decided before the dialogue began.
func (d *driver) GetHandle(string, int, int64) (ftpserver.FileTransfer, error) {
	return d.dtp.file, nil
}

// WrapPassiveListener replaces the library's listener - on any port, at any address - by the device's endpoint. The library keeps
// setting deadlines on its own listener, so that stays open as a descriptor, but is shut down, which ends its listening at once.
func (d *driver) WrapPassiveListener(l net.Listener) (net.Listener, error) {
	if err := stopListening(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &endpointListener{driver: d, retired: l}, nil
}

func stopListening(l net.Listener) error {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return fmt.Errorf("stop a %T from listening: %w", l, errors.ErrUnsupported)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }); err != nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	return serr
}

// endpointListener shows the device's endpoint to the library as the passive listener that it expects.
type endpointListener struct {
	driver  *driver
	retired net.Listener
}

// Accept opens the data connection and has the device told so.
func (l *endpointListener) Accept() (net.Conn, error) {
	d := l.driver
	conn, err := d.dtp.endp.open(d.ctx)
	if err != nil {
		d.opened = fmt.Errorf("%w: %w", errNoDataConnection, err)
		return nil, d.opened
	}
	if err := d.dtp.begun(conn); err != nil {
		d.opened = fmt.Errorf("announce the data connection: %w", err)
		return nil, errors.Join(d.opened, conn.Close())
	}
	// Clients begin the handshake when they have seen the 150.
	if d.dtp.protect != nil {
		if err := d.dtp.protect(d.ctx, conn); err != nil {
			conn.reset()
			d.opened = fmt.Errorf("%w: %w", errNoDataConnection, err)
			return nil, d.opened
		}
	}
	return conn, nil
}

func (l *endpointListener) Close() error {
	return errors.Join(l.driver.dtp.endp.Close(), l.retired.Close())
}

// Addr has a port that is not zero, since the library would otherwise look for the port in other ways.
func (l *endpointListener) Addr() net.Addr { return &net.TCPAddr{Port: 1} }

// oneShotListener gives the library its one session and then ends.
type oneShotListener struct {
	conn net.Conn
	addr net.Addr
}

func (l *oneShotListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	// In the form in which the library knows the orderly end of a listener.
	return nil, &net.OpError{Op: "accept", Net: "memory", Err: errors.New("use of closed network connection")}
}

func (l *oneShotListener) Close() error   { return nil }
func (l *oneShotListener) Addr() net.Addr { return l.addr }
