// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"fmt"
	"math/bits"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/internal/config"
)

// What the gateway does with files. No device, pipe or link can be made, and nothing be executed but what Restart needs.
const (
	toRead  = landlock.AccessFSSet(ll.AccessFSReadFile)
	toList  = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
	toStore = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir | ll.AccessFSWriteFile | ll.AccessFSTruncate |
		ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSMakeSock | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir)
	toMove = toStore | landlock.AccessFSSet(ll.AccessFSRefer)
	toRun  = landlock.AccessFSSet(ll.AccessFSExecute | ll.AccessFSReadFile)
	toTalk = landlock.AccessFSSet(ll.AccessFSResolveUnix)
)

// ruleset is a ruleset of the kernel, made and not yet applied.
type ruleset struct {
	fd    int    // closed on exec
	flags uint32 // for landlock_restrict_self(2)
}

// ruleset makes a ruleset of these rules and further ones. The kernel must have Landlock.
func (r Rules) ruleset(c landlock.Config, more ...landlock.Rule) (ruleset, error) {
	if r.Abstract {
		c.Scoped &^= ll.ScopeAbstractUnixSocket
	}
	fd, flags, err := c.BestEffort().NewRulesetFD(append(r.landlock(), more...)...)
	if err != nil {
		return ruleset{}, fmt.Errorf("make a ruleset: %w", err)
	}
	set := ruleset{fd, flags}
	if kernelABI() < leastABI {
		return set, nil
	}
	if err := set.addPorts(r); err != nil {
		_ = set.close() // nobody has it
		return ruleset{}, err
	}
	return set, nil
}

func (s ruleset) close() error { return unix.Close(s.fd) }

// addPorts adds the rules about TCP ports. There may be one for each port there is: so many that the library takes four times as long
// with them, and that their order matters. The kernel keeps them in a balanced tree; with the bits of their numbers reversed each comes
// to where it stays, while in ascending order the tree is turned again and again.
func (s ruleset) addPorts(r Rules) error {
	access := make([]uint8, 1<<16)
	for _, p := range r.Listen {
		allow(access, p, ll.AccessNetBindTCP)
	}
	for _, p := range r.Connect {
		allow(access, p, ll.AccessNetConnectTCP)
	}
	for n := range access {
		port := bits.Reverse16(uint16(n))
		if access[port] == 0 {
			continue
		}
		rule := ll.NetPortAttr{AllowedAccess: uint64(access[port]), Port: uint64(port)}
		if err := ll.LandlockAddNetPortRule(s.fd, &rule, 0); err != nil {
			return fmt.Errorf("add a rule for port %d: %w", port, err)
		}
	}
	return nil
}

func allow(access []uint8, ports config.PortRange, right uint8) {
	for port := int(ports.First); port <= int(ports.Last); port++ {
		access[port] |= right
	}
}

// restrictProcess applies the ruleset to all threads of the process.
func (s ruleset) restrictProcess(abi int) error {
	if err := ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if abi < syncABI {
		return called("landlock_restrict_self", ll.AllThreadsLandlockRestrictSelf(s.fd, s.flags))
	}
	return called("landlock_restrict_self", ll.LandlockRestrictSelf(s.fd, s.flags|ll.FlagRestrictSelfTSync))
}

// restrictThread applies the ruleset to this thread alone, to which the goroutine must be locked.
func (s ruleset) restrictThread() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	return called("landlock_restrict_self", ll.LandlockRestrictSelf(s.fd, s.flags))
}

func called(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// landlock says the rules in the library's words, but for those about TCP ports.
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
	for _, p := range r.Send {
		for port := int(p.First); port <= int(p.Last); port++ {
			list = append(list, landlock.ConnectSendUDP(uint16(port)))
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
