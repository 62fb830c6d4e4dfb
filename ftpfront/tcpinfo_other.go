// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ftpfront

import (
	"errors"
	"fmt"
	"net"
)

// stateOf knows nothing on other systems than Linux.
func stateOf(*net.TCPConn) (wireState, error) {
	return wireState{}, fmt.Errorf("state of a connection: %w", errors.ErrUnsupported)
}
