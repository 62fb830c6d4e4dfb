// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"syscall"
)

// withListenHint adds to a failure to listen what an operator can do about it.
func withListenHint(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		return err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, splitErr := net.SplitHostPort(op.Addr.String())
		if splitErr != nil {
			return err
		}
		return withHint(err, "which program listens there is shown by: ss -ltnp 'sport = :%s'", port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return withHint(err, "it is no address of this machine; those are listed by: ip address")
	case errors.Is(err, syscall.EACCES):
		return withHint(err, "a port below 1024 takes root or CAP_NET_BIND_SERVICE; configs/systemd has a unit that gives it")
	}
	return err
}
