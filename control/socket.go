// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	socketMode = 0o600
	dirMode    = 0o700
	// maxSocketPath is what fits into sockaddr_un (unix(7)) with its final zero.
	maxSocketPath = 107
	// probeTime is how long a socket that was found gets to answer; the kernel answers for a process that hangs.
	probeTime = 5 * time.Second
)

// ErrInUse says that another process answers at the socket.
var ErrInUse = errors.New("another process answers at the control socket")

// listen opens the socket. It comes to its name by a rename, so that it never stands there with another mode than 0600, and one that
// a dead process has left is replaced in one step.
func listen(ctx context.Context, path string) (*net.UnixListener, error) {
	if err := prepareDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := checkVacant(ctx, path); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+strconv.Itoa(os.Getpid()))
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove an old control socket: %w", err)
	}
	var l *net.UnixListener
	err := short(temp, func(name string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // it is no longer under this name then
	err = os.Chmod(temp, socketMode)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put the control socket in its place: %w", err), os.Remove(temp), l.Close())
	}
	return l, nil
}

// prepareDir makes the directory of the socket for its owner alone, where it is missing. One in which others can put another socket
// under the name is refused.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("make the directory of the control socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the directory of the control socket: %w", err)
	}
	if m := info.Mode().Perm(); m&0o022 != 0 {
		return fmt.Errorf("the directory of the control socket, %s, can be written by others than its owner (mode %04o)", dir, m)
	}
	return nil
}

// checkVacant reports why the name cannot be taken: somebody answers there, or it is no socket.
func checkVacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("in the place of the control socket, %s, there is something else", path)
	}
	conn, err := dial(ctx, path)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: %s", ErrInUse, path), conn.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil // nobody has it open any more
	}
	return fmt.Errorf("look whether somebody answers at the control socket: %w", err)
}

// dial connects to the socket.
func dial(ctx context.Context, path string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: probeTime}
	err = short(path, func(name string) (err error) {
		conn, err = d.DialContext(ctx, "unix", name)
		return err
	})
	return conn, err
}

// short calls f with a name of the socket that fits into a socket address: where its path is too long, by way of its directory.
func short(path string, f func(name string) error) (err error) {
	if len(path) <= maxSocketPath {
		return f(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return f(filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), filepath.Base(path)))
}
