// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/internal/config"
)

// restart carries out an order to restart: first in the program as it was started, then in the one that has taken its place.
func (o order) restart() (out outcome) {
	m, marked, err := TakeMark()
	switch {
	case err != nil:
		return outcome{Err: err.Error()}
	case !marked:
		return o.begin()
	case o.Other:
		o.Rules.Connect = []config.PortRange{span(1024, 65535)}
	}
	out.Report, err = m.Verify(o.Rules)
	if err := errors.Join(err, m.Release()); err != nil {
		return outcome{Err: err.Error()}
	}
	out.Restarted, out.PID, out.Args, out.Mark = true, os.Getpid(), os.Args, os.Getenv(markVariable)
	out.Inherited, out.Deeds = inheritable(), o.try()
	return out
}

// inheritable are the descriptors of this process that a program would inherit.
func inheritable() (list []int) {
	for fd := range 1024 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			list = append(list, fd)
		}
	}
	return list
}

// begin restarts the program, and where that is refused applies the rules to this process.
func (o order) begin() (out outcome) {
	var err error
	switch {
	case o.NoExec:
		err = refuse(unix.EPERM, unix.SYS_EXECVE, unix.SYS_EXECVEAT)
	case o.NoDial:
		err = refuse(unix.EACCES, unix.SYS_CONNECT)
	}
	if err != nil {
		return outcome{Err: err.Error()}
	}
	out.Refused = Restart(o.Rules).Error()
	out.Before = o.try()
	report, err := Apply(o.Rules, o.Required)
	if err != nil {
		return outcome{Err: err.Error()}
	}
	out.Report, out.Deeds = report, o.try()
	return out
}

// alone is this test program without libraries: with them it would not be restarted.
func alone(t *testing.T) string {
	t.Helper()
	needLandlock(t)
	program := filepath.Join(t.TempDir(), "alone")
	build := exec.Command("go", "test", "-c", "-buildvcs=false", "-o", program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// needRestart skips a test on kernels that confine a whole process in one call.
func needRestart(t *testing.T) {
	t.Helper()
	if abi := kernelABI(); abi >= syncABI {
		t.Skipf("with Landlock %d no program is started anew", abi)
	}
}

// many are enough ports, and none that a listener of a test has.
func many() []config.PortRange { return []config.PortRange{span(1024, 9999)} }

// A program that was started anew is held to the rules as one that has applied them to itself is, and is the same process otherwise.
func TestRestart(t *testing.T) {
	program := alone(t)
	needRestart(t)
	out, pid := order{Restart: true, Rules: Rules{Connect: many()}}.in(t, program)
	out.held(t)
	if !out.Restarted || out.PID != pid || !slices.Equal(out.Args, []string{program}) {
		t.Errorf("%s; process %d, not %d; %q", out.Refused, out.PID, pid, out.Args)
	}
	if !slices.Equal(out.Inherited, inheritable()) || out.Mark != "" {
		t.Errorf("left over: descriptors %v, %q", out.Inherited, out.Mark)
	}
	if out.Deeds["read the control group"] != "" {
		t.Errorf("cannot read the control group: %s", out.Deeds["read the control group"])
	}
	out, _ = order{Restart: true, Rules: Rules{Connect: []config.PortRange{span(1024, 65535)}}}.in(t, program)
	if !out.Restarted || out.Deeds["connect"] != "" {
		t.Errorf("%s; connect: %s", out.Refused, out.Deeds["connect"])
	}
}

// A program that finds itself confined to other rules than it needs does not go on with them, nor does it try once more.
func TestRestartedWithOtherRules(t *testing.T) {
	program := alone(t)
	needRestart(t)
	if out, _ := (order{Restart: true, Other: true, Rules: Rules{Connect: many()}}).in(t, program); out.Err != ErrChanged.Error() {
		t.Errorf("%q", out.Err)
	}
}

// Nor does a program go on that can do less than its rules say.
func TestRestartedWithLess(t *testing.T) {
	program := alone(t)
	needRestart(t)
	out, _ := order{Restart: true, NoDial: true, Rules: Rules{Connect: many()}}.in(t, program)
	if !strings.Contains(out.Err, "cannot connect to port 1024") {
		t.Errorf("%q", out.Err)
	}
}

// Whoever writes a mark into the environment confines nobody with it. A descriptor that it names and that is no ruleset stays open.
func TestForgedMark(t *testing.T) {
	program := alone(t)
	for _, mark := range []string{"", "x", "x:1"} {
		out, _ := order{Restart: true, Rules: Rules{Connect: many()}}.in(t, program, markVariable+"="+mark)
		if !strings.HasPrefix(out.Err, ErrUnconfined.Error()) {
			t.Errorf("%q: %q", mark, out.Err)
		}
	}
}

// Where no program may be executed nothing is lost by the attempt: the process can do all it could before, and then confines itself.
func TestRestartRefused(t *testing.T) {
	program := alone(t)
	needRestart(t)
	out, _ := order{Restart: true, NoExec: true, Rules: Rules{Connect: many()}}.in(t, program)
	if out.Refused != "execve: operation not permitted" {
		t.Fatalf("%q; %+v", out.Refused, out)
	}
	for _, can := range []string{"write a file", "read another file", "read /etc/passwd", "store elsewhere", "listen elsewhere", "connect", "signal the parent"} {
		if out.Before[can] != "" {
			t.Errorf("the attempt has taken away: %s: %s", can, out.Before[can])
		}
	}
	out.held(t)
}

// A program with libraries is not started anew, and confined as it runs.
func TestProgramWithLibraries(t *testing.T) {
	needLandlock(t)
	needRestart(t)
	linked, err := dynamic()
	if err != nil {
		t.Fatal(err)
	}
	out := inChild(t, order{Restart: true, Rules: Rules{Connect: many()}})
	out.held(t)
	if out.Restarted == linked || linked && !strings.Contains(out.Refused, "libraries") {
		t.Errorf("libraries: %t, restarted: %t, %q", linked, out.Restarted, out.Refused)
	}
}

// Each row is a reason to leave the process as it is.
func TestNotRestartable(t *testing.T) {
	needLandlock(t)
	needRestart(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		rules Rules
		want  string
	}{
		"few ports":  {Rules{Connect: []config.PortRange{span(1024, 2000)}}, "977 rules about ports are applied to the running process as fast"},
		"a pipe":     {Rules{Connect: many(), Files: []string{fifo}}, fifo + " may not be there to be read a second time"},
		"everything": {Rules{Connect: many(), Stores: []string{"/"}}, "the rules allow everything"},
		"all ports":  {Rules{Connect: []config.PortRange{span(1, 65535)}}, "the rules allow everything"},
	} {
		if err := test.rules.restartable(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFirstOutside(t *testing.T) {
	for want, ranges := range map[int][]config.PortRange{
		1:     {span(2, 65535)},
		2:     {span(1, 1)},
		3:     {span(0, 2), span(4, 5)},
		6:     {span(1, 2), span(3, 5)},
		65536: {span(1, 65535)},
	} {
		if got := firstOutside(ranges); got != want {
			t.Errorf("%v: %d, want %d", ranges, got, want)
		}
	}
	if got := firstOutside(nil); got != 1 {
		t.Errorf("without ranges: %d", got)
	}
}
