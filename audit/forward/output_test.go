// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/audit"
)

// outputs are the kinds of files that a standard output is, each with its reader: blocking, as a shell or a service manager has them.
func outputs(t *testing.T) map[string][2]*os.File {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][2]*os.File{
		"pipe":   {os.NewFile(uintptr(pipe[0]), "read"), os.NewFile(uintptr(pipe[1]), "write")},
		"socket": {os.NewFile(uintptr(pair[0]), "read"), os.NewFile(uintptr(pair[1]), "write")},
	}
	t.Cleanup(func() {
		for _, l := range list {
			_, _ = l[0].Close(), l[1].Close()
		}
	})
	return list
}

// A receiver that takes nothing holds a write until the deadline, and not the program; the file of others stays as it was, and what
// fits in comes out again.
func TestOutputDoesNotBlockForEver(t *testing.T) {
	for name, files := range outputs(t) {
		out, err := NewOutput(files[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, "first\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b := make([]byte, 100)
		if n, err := files[0].Read(b); err != nil || string(b[:n]) != "first\n" {
			t.Errorf("%s: read %q, %v", name, b[:n], err)
		}
		ended := make(chan error)
		go func() {
			_, err := out.Write(make([]byte, 10<<20)) // more than any buffer
			ended <- err
		}()
		if err := out.(deadliner).SetWriteDeadline(time.Unix(1, 0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the write ends with %v", name, err)
		}
		if flags, err := unix.FcntlInt(files[1].Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: the file that others use does not block any more: %x, %v", name, flags, err)
		}
		if err := out.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := files[1].Stat(); err != nil {
			t.Errorf("%s: the file was closed: %v", name, err)
		}
	}
}

func TestOutputOfOtherKinds(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var text strings.Builder
	for _, w := range []io.Writer{file, null, &text} {
		out, err := NewOutput(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, "x\n"); err != nil {
			t.Error(err)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(file.Name()); err != nil || string(b) != "x\n" || text.String() != "x\n" {
		t.Errorf("written: %q and %q, %v", b, text.String(), err)
	}
}

// A forwarder whose receiver takes nothing ends with its context, and goes on later behind what was taken.
func TestForwarderEndsWhileItSends(t *testing.T) {
	for name, files := range outputs(t) {
		dir := t.TempDir()
		l, err := audit.Open(dir, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		record(t, l, 2000) // more than a pipe holds
		out, err := NewOutput(files[1])
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(Options{
			Name: "out", Dir: dir, Durable: l.Durable, Final: func() (uint64, bool) { return 0, false },
			Open: Stream(out, JSON), Logger: quiet(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); f.Run(ctx) }()
		for last := uint64(1); f.last.Load() != last; { // it goes no further
			last = f.last.Load()
			time.Sleep(200 * time.Millisecond)
		}
		cancel()
		<-ended
		if n := f.last.Load(); n == 0 || n == l.Durable() || f.saved != n {
			t.Errorf("%s: %d of %d records were taken, the position is %d", name, n, l.Durable(), f.saved)
		}
		if err := errors.Join(l.Close(), out.Close()); err != nil {
			t.Error(err)
		}
	}
}

// What is opened once more by a name in a file system is not what a process can open that may open nothing new. A pipe has no such name:
// see TestAuditOnStdout.
func TestReopens(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if Reopens(&strings.Builder{}) || Reopens(file) || !Reopens(null) {
		t.Errorf("text %t, file %t, device %t", Reopens(&strings.Builder{}), Reopens(file), Reopens(null))
	}
	for name, files := range outputs(t) {
		if Reopens(files[1]) {
			t.Error(name)
		}
	}
}
