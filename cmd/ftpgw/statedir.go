// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// Modes of the state directory and of those above it that are missing.
const (
	stateMode  = 0o700
	aboveState = 0o750
	lockMode   = 0o600
)

// openTempDirs makes the directory for the conduits' notes of where they make temporary files, one file for each.
func (a *appliance) openTempDirs() (string, error) {
	dir := filepath.Join(a.cfg.Gateway.StateDir, "temporaries")
	if err := durable.MkdirAll(dir, stateMode); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	if err := durable.RemoveTemps(dir); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return dir, nil
}

// makeStateDir makes the state directory where it is missing, durably.
func makeStateDir(dir string) error {
	if err := durable.MkdirAll(filepath.Dir(dir), aboveState); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := durable.MkdirAll(dir, stateMode); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// openStateDir makes the state directory where it is missing, durably, and holds it for this process until it is closed: two
// gateways would overwrite each other's state. One that others can write to is refused, since what is in it is obeyed.
func openStateDir(dir string) (io.Closer, error) {
	if err := makeStateDir(dir); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if m := info.Mode().Perm(); m&0o022 != 0 {
		return nil, withHint(fmt.Errorf("the state directory %s can be written by others than its owner (mode %04o)", dir, m), "chmod 0700 %s", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, lockMode)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // it goes away with the process, however that ends
	if err == nil {
		return lock, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = withHint(fmt.Errorf("the state directory %s is in use by another gateway", dir), `give each one its own: gateway { state_dir = "..." }`)
	}
	return nil, errors.Join(err, lock.Close())
}
