// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// leastSettle is the least that is waited for where the zone has the time measured. The kernel of a process that dies closes its
// sockets within a fraction of a millisecond; what takes longer is a program that is torn down in an orderly way, and the way of
// the second packet behind the first.
const leastSettle = 20 * time.Millisecond

// ending is asked for when the data of an upload have ended. left is closed when QUIT comes.
func (s *session) ending(left <-chan struct{}) gateway.Ending {
	return gateway.Ending{Notified: s.notified(), Settle: s.settleTime(), Left: left, Present: s.present}
}

// settleTime is the zone's, or measured: the end of the control connection may be as much later than that of the data as the
// network delays the one packet more than the other, and two round trips are a fair bound of that.
func (s *session) settleTime() time.Duration {
	if s.zone.Settle > 0 {
		return s.zone.Settle
	}
	state, err := stateOf(s.wire)
	if err != nil {
		s.log.Debug("the round trip of the control connection is not known", "error", err)
	}
	return max(leastSettle, 2*state.roundTrip)
}

// present reports whether the device is known to have gone. It asks the kernel: between the arrival of a packet and the moment
// when the goroutine that waits for it runs, a busy machine may let any time pass.
func (s *session) present() error {
	state, err := stateOf(s.wire)
	switch {
	case errors.Is(err, errors.ErrUnsupported): // the goroutine that reads it has to do
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errControlLost, err)
	case !state.established:
		return errControlLost
	}
	return nil
}

// wireState is what the kernel knows of a TCP connection.
type wireState struct {
	established bool          // neither end has sent FIN or RST
	roundTrip   time.Duration // smoothed (RFC 6298, 2)
}

// onDescriptor calls f with the connection's descriptor.
func onDescriptor(conn *net.TCPConn, f func(fd uintptr) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(fd) }); err != nil {
		return err
	}
	return ferr
}
