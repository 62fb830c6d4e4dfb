// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// protect puts TLS over the connection. The gateway is the TLS server whichever side connected (RFC 4217, 7). An error Is
// errDataSecurity unless the connection was lost on the way.
func (d *dataConn) protect(ctx context.Context, z *TLS, p *protection, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stream := tls.Server(tlsTransport{d.conn, z.CloseOptional, &p.bare}, p.data)
	if err := stream.HandshakeContext(ctx); err != nil {
		if isLost(err) {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		return fmt.Errorf("%w: %w", errDataSecurity, err)
	}
	if err := z.admit(p.state, stream.ConnectionState()); err != nil {
		return fmt.Errorf("%w: %w", errDataSecurity, err)
	}
	d.stream = stream
	return nil
}

// isLost reports whether a handshake failed for the connection, not for what was said on it.
func isLost(err error) bool {
	for _, lost := range []error{
		errTruncated, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, syscall.ECONNRESET, syscall.EPIPE,
		context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// errTruncated says that a TLS connection ended without a close_notify.
var errTruncated = errors.New("the connection ended without the close_notify of TLS")

// tlsTransport is the TCP connection below TLS. crypto/tls takes the end of it between two records for the end of the data. Anybody
// on the way can forge a FIN, and a dying device sends one, so that only a close_notify may stand for a whole file (RFC 8446, 6.1):
// here the end of the connection is an error, and io.EOF is left to the close_notify.
//
// A zone that must bear with devices that send none can have the end of the connection stand for the end of the file, as it does
// in clear; even then it must come between two records.
type tlsTransport struct {
	*net.TCPConn
	lenient bool
	bare    *atomic.Bool // set when the connection ends, and no close_notify came before
}

func (t tlsTransport) Read(p []byte) (int, error) {
	n, err := t.TCPConn.Read(p)
	if err == io.EOF {
		t.bare.Store(true)
		if !t.lenient {
			err = errTruncated
		}
	}
	return n, err
}
