// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// deadliner is what a Stream asks of a writer that can block.
type deadliner interface{ SetWriteDeadline(time.Time) error }

// Output is the standard output of the program, or another file that somebody else has opened, as a writer whose Write a deadline ends,
// also while it waits for a reader that takes nothing. What the file is shared with (a shell, the operator log) sees no difference: it is
// never set to non-blocking itself. Close ends the use of the file, which stays open.
//
// Pipes, FIFOs and terminals are opened once more, for themselves, by their name in /proc; a process that confines itself has to call
// NewOutput before. Sockets cannot be opened again: each write says that it must not block. To a regular file and to what has no file
// Write is as it is there: nobody can keep it waiting.
func NewOutput(w io.Writer) (io.WriteCloser, error) {
	f, ok := w.(*os.File)
	if !ok {
		return plainOutput{w}, nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", f.Name(), err)
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSocket != 0:
		return &socketOutput{fd: int(f.Fd())}, nil
	case mode&reopened != 0:
		again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s once more: %w", f.Name(), err)
		}
		return again, nil
	}
	return plainOutput{w}, nil
}

// reopened are the types of files that NewOutput opens once more.
const reopened = fs.ModeNamedPipe | fs.ModeCharDevice

// Reopens reports whether NewOutput would need a name in a file system for that: a FIFO and a terminal have one, a pipe has none.
func Reopens(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&reopened == 0 {
		return false // NewOutput says what is wrong
	}
	var in unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &in) != nil || in.Type != unix.PIPEFS_MAGIC
}

// plainOutput never blocks.
type plainOutput struct{ io.Writer }

func (plainOutput) Close() error { return nil }

// pollTime is how long a socketOutput waits for room before it looks at its deadline.
const pollTime = 100 // milliseconds

// socketOutput writes to a socket that others use as well, such as that of journald, which is both the standard output and the standard
// error of a service.
type socketOutput struct {
	fd       int
	mu       sync.Mutex
	deadline time.Time
}

// SetWriteDeadline is as that of a net.Conn; a Write that waits heeds it within pollTime.
func (s *socketOutput) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	return nil
}

func (s *socketOutput) late() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.deadline.IsZero() && !time.Now().Before(s.deadline)
}

func (s *socketOutput) Write(p []byte) (written int, err error) {
	for written < len(p) {
		if s.late() {
			return written, os.ErrDeadlineExceeded
		}
		n, err := unix.SendmsgN(s.fd, p[written:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		written += max(n, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}, pollTime); err != nil && !errors.Is(err, unix.EINTR) {
				return written, fmt.Errorf("wait for room in the standard output: %w", err)
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return written, fmt.Errorf("write to the standard output: %w", err)
		}
	}
	return written, nil
}

func (s *socketOutput) Close() error { return nil }
