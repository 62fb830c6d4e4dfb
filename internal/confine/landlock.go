// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/ftpgw/ftpgw/internal/config"
)

// leastABI is the first version of Landlock that confines both files and TCP ports (Linux 6.7).
const leastABI = 4

// moveABI is the first version of Landlock that lets files be moved from one directory to another (Linux 5.19). The one before cannot
// allow that, so that rules with the right (REFER) confine nothing there at all: only the spool has it.
const moveABI = 2

// What the gateway does with files. Nothing can be executed, and no device, pipe or link be made.
const (
	toRead  = landlock.AccessFSSet(ll.AccessFSReadFile)
	toList  = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
	toStore = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir | ll.AccessFSWriteFile | ll.AccessFSTruncate |
		ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSMakeSock | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir)
	toMove = toStore | landlock.AccessFSSet(ll.AccessFSRefer)
	toTalk = landlock.AccessFSSet(ll.AccessFSResolveUnix)
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
func Apply(r Rules, required bool) (Report, error) {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	if required && abi < leastABI {
		return Report{}, fmt.Errorf("%w: it has version %d of Landlock", ErrUnsupported, abi)
	}
	if abi == 0 || abi < moveABI && len(r.Moves) > 0 {
		return Report{}, nil
	}
	all := landlock.V11
	if r.Abstract {
		all.Scoped &^= ll.ScopeAbstractUnixSocket
	}
	if err := all.BestEffort().Restrict(r.landlock()...); err != nil {
		return Report{}, fmt.Errorf("confine the process: %w", err)
	}
	return report(abi), nil
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

// landlock says the rules in the library's words.
func (r Rules) landlock() (list []landlock.Rule) {
	dirs, single := around(r.Files)
	list = append(list,
		landlock.PathAccess(toRead, single...).IgnoreIfMissing(),
		landlock.PathAccess(toList, dirs...).IgnoreIfMissing(),
		landlock.PathAccess(toList, r.Trees...).IgnoreIfMissing(),
		landlock.PathAccess(toStore, r.Stores...),
		landlock.PathAccess(toMove, r.Moves...),
		landlock.PathAccess(toTalk, r.Sockets...).IgnoreIfMissing(),
		landlock.BindUDP(0))
	for _, port := range ports(r.Listen) {
		list = append(list, landlock.BindTCP(port))
	}
	for _, port := range ports(r.Connect) {
		list = append(list, landlock.ConnectTCP(port))
	}
	for _, port := range ports(r.Send) {
		list = append(list, landlock.ConnectSendUDP(port))
	}
	return list
}

func ports(ranges []config.PortRange) (list []uint16) {
	for _, r := range ranges {
		for port := int(r.First); port <= int(r.Last); port++ {
			list = append(list, uint16(port))
		}
	}
	return list
}

// around are the directories of files: where each is named, and where it really is when symbolic links lead there, as those of an
// ACME client do. What is put in its place will be in one of them. Of the root directory only the file itself is taken.
func around(files []string) (dirs, single []string) {
	for _, file := range files {
		paths := []string{file}
		if real, err := filepath.EvalSymlinks(file); err == nil {
			paths = append(paths, real)
		}
		for _, p := range paths {
			if dir := filepath.Dir(p); dir != "/" {
				dirs = append(dirs, dir)
			} else {
				single = append(single, p)
			}
		}
	}
	return dirs, single
}
