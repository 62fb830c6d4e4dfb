// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/internal/config"
)

// manyPorts is the number of rules about ports from which on Restart is worth its while: the start of a program takes as long as the
// kernel takes to copy so many of them for five threads.
const manyPorts = 5000

// What a program reads when it starts, before it can say what it needs: Go's runtime and the limit of memory look for the limits of its
// control group, and for the size of huge pages.
const (
	hugePages     = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
	controlGroups = "/sys/fs/cgroup"
)

// Restart confines the process by starting its program anew in its place, with the same arguments, descriptors and process ID: the one
// thread that does so is confined first, and the new program begins life with the one copy of the rules that all of its threads share.
// It finds a Mark. Where rules are very many that is faster than Apply, which has the kernel copy them for each thread.
//
// Restart returns only where that is not worth its while, or cannot be done; the process is what it was then, and Apply is the way. It
// must come before anything that the new program would lose: goroutines with work, signals that are waited for, files that are written.
func Restart(r Rules) error {
	if err := r.restartable(); err != nil {
		return err
	}
	set, err := r.ruleset(landlock.V11.EnableLoggingForSubprocesses(), startRules()...)
	if err != nil {
		return err
	}
	m, err := newMark(r, set.fd)
	if err != nil {
		return errors.Join(err, set.close())
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, since what it has given up does not come back
		failed <- set.execute(m)
	}()
	return errors.Join(<-failed, set.close())
}

// restartable tells why Restart is not the way.
func (r Rules) restartable() error {
	if abi := kernelABI(); abi < leastABI || abi >= syncABI {
		return fmt.Errorf("version %d of Landlock is applied to the running process as fast", abi)
	}
	if n := count(r.Listen) + count(r.Connect); n < manyPorts {
		return fmt.Errorf("%d rules about ports are applied to the running process as fast", n)
	}
	for _, file := range r.Files {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s may not be there to be read a second time", file)
		}
	}
	if slices.Contains(slices.Concat(r.Trees, r.Stores, r.Moves), "/") || firstOutside(r.Connect) >= 1<<16 {
		return errors.New("the rules allow everything, so that the new program could not see that they hold")
	}
	if linked, err := dynamic(); err != nil || linked {
		return errors.Join(err, errors.New("the program needs libraries, for which there are no rules"))
	}
	return nil
}

func count(ranges []config.PortRange) (n int) {
	for _, r := range ranges {
		n += int(r.Last) - int(r.First) + 1
	}
	return n
}

// dynamic reports whether the kernel has loaded a program that loads libraries (AT_BASE in getauxval(3)).
func dynamic() (bool, error) {
	const atBase = 7
	vector, err := unix.Auxv()
	if err != nil {
		return false, fmt.Errorf("look how the program was loaded: %w", err)
	}
	for _, entry := range vector {
		if entry[0] == atBase {
			return entry[1] != 0, nil
		}
	}
	return false, nil
}

// startRules are for what a program does until it can speak for itself.
func startRules() []landlock.Rule {
	return []landlock.Rule{
		landlock.PathAccess(toRun, "/proc/self/exe"),
		landlock.PathAccess(toRead, "/proc/self/cgroup", "/proc/self/mountinfo", hugePages, localTime()).IgnoreIfMissing(),
		landlock.PathAccess(toList, controlGroups).IgnoreIfMissing(),
	}
}

// localTime is the file that tells the local time, where it is not among those of all time zones (tzset(3)).
func localTime() string {
	if file := strings.TrimPrefix(os.Getenv("TZ"), ":"); strings.HasPrefix(file, "/") {
		return file
	}
	return "/etc/localtime"
}

// execute confines this thread and starts the program anew, with a mark and the ruleset. Only that very file can be executed then: where
// another one has taken its place in the meantime it is refused.
func (s ruleset) execute(m Mark) error {
	program, err := os.Executable() // by its name, which is what others see of the process
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	defer endAtOnce(endings())() // it has nothing to see to before
	if err := s.restrictThread(); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(s.fd), unix.F_SETFD, 0); err != nil {
		return called("keep the ruleset", err)
	}
	return called("execve", syscall.Exec(program, os.Args, append(os.Environ(), markVariable+"="+m.String())))
}
