// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"os/signal"
	"syscall"
	"testing"
)

// In between the kernel ends the process, and afterwards all is as it was: Go's handler, or that the signal is ignored.
func TestEndAtOnce(t *testing.T) {
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	signals := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}
	look := func(sig syscall.Signal) (a sigaction) {
		if err := setAction(sig, nil, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	caught, passed := look(syscall.SIGUSR1), look(syscall.SIGUSR2)
	undo := endAtOnce(signals)
	if now := look(syscall.SIGUSR1); now[0] != 0 || caught[0] == 0 {
		t.Errorf("the handler was %#x and is %#x", caught, now)
	}
	if now := look(syscall.SIGUSR2); now != passed {
		t.Errorf("ignored: was %#x, is %#x", passed, now)
	}
	undo()
	if now := look(syscall.SIGUSR1); now != caught {
		t.Errorf("afterwards: was %#x, is %#x", caught, now)
	}
}
