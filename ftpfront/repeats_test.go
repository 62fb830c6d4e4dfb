// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Of an error that comes again and again the first is a line, then one line for each window with a count, and none when it is over.
func TestRepeatedErrors(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRepeats(slog.New(slog.NewTextHandler(&out, nil)))
	r.now = func() time.Time { return now }
	lines := func(want ...string) {
		t.Helper()
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		out.Reset()
		if len(want) == 0 && got[0] == "" {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%q, want %q in it", got[i], want[i])
			}
		}
	}
	for range 1000 {
		r.report("off the record", syscall.ENOSPC, "session", "first")
	}
	lines("session=first")
	r.report("something else", syscall.EIO)
	lines("something else")
	r.flush(false)
	lines()
	now = now.Add(incidentWindow)
	r.flush(false)
	lines("count=999 since=2026-03-01T12:00:00Z")
	for range 5 {
		r.report("off the record", errors.New("another cause"))
	}
	lines()
	r.flush(true)
	lines(`error="another cause" count=5 since=2026-03-01T12:01:00Z`)
	now = now.Add(incidentWindow)
	r.flush(false) // over
	r.report("off the record", syscall.ENOSPC, "session", "new")
	lines("session=new")
}

// While the audit log takes nothing every device that comes is refused, and the operator log has one line about all of them, and one
// with their number.
func TestRefusedSessionsWithoutRecordAreCounted(t *testing.T) {
	f := start(t, nil)
	f.log.failWith(syscall.ENOSPC)
	const sessions = 20
	for range sessions {
		conn, err := net.Dial("tcp", f.front.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "421 ") {
			t.Errorf("a new device got %q, %v", b, err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f.stop()
	<-f.done // all sessions have ended, and what was counted is told
	f.log.failWith(nil)
	var told []string
	for line := range strings.Lines(f.logged.text.String()) {
		if strings.Contains(line, "level=ERROR") {
			told = append(told, line)
		}
	}
	if len(told) != 2 || !strings.Contains(told[1], "count=19 ") {
		t.Errorf("%d refused sessions are told of in %d lines:\n%s", sessions, len(told), strings.Join(told, ""))
	}
}
