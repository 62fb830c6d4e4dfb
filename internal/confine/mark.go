// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/internal/config"
)

// markVariable is where a program that Restart has started finds its Mark.
const markVariable = "FTPGW_CONFINED"

// Mark is what a program finds in its environment when Restart has started it. It is a claim, not a proof: see Verify.
type Mark struct {
	digest  string // of the rules
	ruleset int    // descriptor, or -1
}

var (
	// ErrChanged says that the process is confined to other rules than it needs.
	ErrChanged = errors.New("the configuration was changed while the gateway was starting, which is confined to what was there before")
	// ErrUnconfined says that the process is not confined as its environment says.
	ErrUnconfined = errors.New("the process is not confined, although " + markVariable + " in its environment says so")
)

// newMark is for a program that is confined to these rules, and gets their ruleset. It has to close that: the kernel takes as long to
// forget a large ruleset as to start a program, and the start would wait for it.
func newMark(r Rules, ruleset int) (Mark, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Mark{}, fmt.Errorf("digest the rules: %w", err)
	}
	sum := sha256.Sum256(text)
	return Mark{digest: hex.EncodeToString(sum[:]), ruleset: ruleset}, nil
}

func (m Mark) String() string { return m.digest + ":" + strconv.Itoa(m.ruleset) }

// TakeMark takes the mark of this process out of its environment, and reports whether there was one.
func TakeMark() (Mark, bool, error) {
	text, marked := os.LookupEnv(markVariable)
	if !marked {
		return Mark{}, false, nil
	}
	if err := os.Unsetenv(markVariable); err != nil {
		return Mark{}, true, fmt.Errorf("remove %s from the environment: %w", markVariable, err)
	}
	m := Mark{ruleset: -1}
	digest, number, _ := strings.Cut(text, ":")
	m.digest = digest
	if fd, err := strconv.Atoi(number); err == nil && isRuleset(fd) {
		m.ruleset = fd
	}
	return m, true, nil
}

// isRuleset reports whether a descriptor is one of a ruleset: an environment may name any.
func isRuleset(fd int) bool {
	what, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err == nil && what == "anon_inode:[landlock-ruleset]"
}

// Release closes the ruleset that came with the mark, which takes some milliseconds. It is called once.
func (m Mark) Release() error {
	if m.ruleset < 0 {
		return nil
	}
	return called("close the ruleset", unix.Close(m.ruleset))
}

// Verify reports what a process with this mark is confined to. Errors: ErrUnconfined where the kernel does not hold the process to
// anything of the kind, and ErrChanged where it holds it to other rules. Nothing leaves the machine for that.
func (m Mark) Verify(r Rules) (Report, error) {
	if err := r.unreachable(); err != nil {
		return Report{}, err
	}
	want, err := newMark(r, -1)
	if err != nil {
		return Report{}, err
	}
	if m.digest != want.digest {
		return Report{}, ErrChanged
	}
	if err := r.reachable(); err != nil {
		return Report{}, err
	}
	return report(kernelABI()), nil
}

// unreachable tries what the rules do not allow.
func (r Rules) unreachable() error {
	dir, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: it can read the root directory", ErrUnconfined), unix.Close(dir))
	}
	if !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("try to read the root directory: %w", err)
	}
	port := firstOutside(r.Connect)
	if refused, err := connectRefused(port); err != nil || !refused {
		return errors.Join(fmt.Errorf("%w: it can connect to port %d", ErrUnconfined, port), err)
	}
	return nil
}

// reachable tries what the rules allow.
func (r Rules) reachable() error {
	if len(r.Connect) == 0 {
		return nil
	}
	port := int(r.Connect[0].First)
	if refused, err := connectRefused(port); err != nil || refused {
		return errors.Join(fmt.Errorf("the process is confined to less than it needs: it cannot connect to port %d", port), err)
	}
	return nil
}

// firstOutside is the first port that is in none of the ranges, which are sorted and apart; past the last port where all are.
func firstOutside(ranges []config.PortRange) int {
	port := 1
	for _, r := range ranges {
		if int(r.First) > port {
			break
		}
		port = max(port, int(r.Last)+1)
	}
	return port
}

// connectRefused reports whether Landlock keeps the process from connecting to a TCP port. It tries the address of everybody, which no
// connection can be made to: the kernel looks at the rules, then at the address, and sends nothing.
func connectRefused(port int) (bool, error) {
	everybody := []unix.Sockaddr{
		&unix.SockaddrInet4{Port: port, Addr: [4]byte{255, 255, 255, 255}},
		&unix.SockaddrInet6{Port: port, Addr: [16]byte{0: 0xff, 1: 0x0e, 15: 1}},
	}
	var errs []error
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		socket, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil { // a machine without this family, or a service manager that denies it
			errs = append(errs, fmt.Errorf("open a socket: %w", err))
			continue
		}
		err = unix.Connect(socket, everybody[i])
		return errors.Is(err, unix.EACCES), unix.Close(socket)
	}
	return false, errors.Join(errs...)
}
