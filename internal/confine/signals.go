// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endings are the signals by which a program is asked to end.
func endings() []syscall.Signal {
	return []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM}
}

// sigaction is the kernel's struct of that name (rt_sigaction(2)), large enough for every architecture. It begins with the handler; where all
// is 0 that is SIG_DFL.
type sigaction [8]uint64

const (
	ignored    = 1 // SIG_IGN
	sigsetSize = 8
)

// endAtOnce has the kernel itself end the process on these signals, and not Go's runtime: that catches a signal and sends it once more, to one
// thread, with which it would be lost if another one executes a program in that moment. What is ignored stays so. undo is for where the
// process goes on as it is.
func endAtOnce(signals []syscall.Signal) (undo func()) {
	before := map[syscall.Signal]*sigaction{}
	for _, sig := range signals {
		old := new(sigaction)
		if setAction(sig, nil, old) != nil || *(*uintptr)(unsafe.Pointer(old)) == ignored {
			continue
		}
		if setAction(sig, new(sigaction), nil) == nil {
			before[sig] = old
		}
	}
	return func() {
		for sig, old := range before {
			_ = setAction(sig, old, nil) // it was in force before
		}
	}
}

func setAction(sig syscall.Signal, action, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(old)), sigsetSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
