// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"fmt"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Harden gives up, for good, what a process should never need again: privileges that a program with a set-user-ID bit would bring
// (no_new_privs, prctl(2)), core dumps, and being looked into by other processes of the same user (PR_SET_DUMPABLE). The latter also
// gives the files in /proc/self that are private to root: the process itself cannot open /proc/self/fd any more.
func Harden() error {
	if err := ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("give up core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("give up core dumps: %w", err)
	}
	return nil
}
