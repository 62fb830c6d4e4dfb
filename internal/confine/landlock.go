// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

const (
	// leastABI is the first version of Landlock that confines both files and TCP ports (Linux 6.7).
	leastABI = 4
	// moveABI is the first version of Landlock that lets files be moved from one directory to another (Linux 5.19). The one before
	// cannot allow that, so that rules with the right (REFER) confine nothing there at all: only the spool has it.
	moveABI = 2
	// syncABI is the first version of Landlock that confines all threads of a process in one call, with one copy of the rules.
	syncABI = 8
)

// ErrUnsupported says that this kernel cannot confine the process as far as is required.
var ErrUnsupported = errors.New("this kernel does not confine both files and TCP ports (Landlock of Linux 6.7 or later, enabled at boot)")

// Report says what is confined.
type Report struct {
	ABI      int      // of the kernel's Landlock; 0 where it has none
	Confines []string // in words
}

// String is what the log and the record say.
func (r Report) String() string {
	if r.ABI == 0 {
		return "not confined: this kernel has no Landlock"
	}
	return fmt.Sprintf("Landlock %d: %s", r.ABI, strings.Join(r.Confines, ", "))
}

// Apply confines all threads of the process, for good. Without required, it does as much as the kernel can, which may be nothing: the
// Report tells. With required, it fails with ErrUnsupported where files and TCP ports cannot both be confined, and confines nothing.
// Stores and Moves must exist; what else does not exist cannot be used later either, unless it appears in a directory of the rules.
//
// Before syncABI the kernel copies the rules for each thread: with very many of them Restart is faster.
func Apply(r Rules, required bool) (_ Report, err error) {
	abi := kernelABI()
	if required && abi < leastABI {
		return Report{}, fmt.Errorf("%w: it has version %d of Landlock", ErrUnsupported, abi)
	}
	if abi == 0 || abi < moveABI && len(r.Moves) > 0 {
		return Report{}, nil
	}
	set, err := r.ruleset(landlock.V11, threadRules()...)
	if err != nil {
		return Report{}, fmt.Errorf("confine the process: %w", err)
	}
	defer func() { err = errors.Join(err, set.close()) }()
	if err := set.restrictProcess(abi); err != nil {
		return Report{}, fmt.Errorf("confine the process: %w", err)
	}
	return report(abi), nil
}

// kernelABI is the version of the kernel's Landlock, 0 where it has none.
func kernelABI() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return abi
}

// report names what each version of Landlock has brought.
func report(abi int) Report {
	r := Report{ABI: abi}
	for _, part := range []struct {
		since int
		what  string
	}{{1, "files"}, {leastABI, "TCP ports"}, {5, "devices"}, {6, "signals and abstract sockets"}, {9, "Unix sockets"}, {10, "UDP ports"}} {
		if abi >= part.since {
			r.Confines = append(r.Confines, part.what)
		}
	}
	return r
}
