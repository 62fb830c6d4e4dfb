// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// child records from several goroutines for ever, and prints the name of each record after it was confirmed: as durable or as written,
// which for the end of a process is the same.
func child(dir string) {
	l, err := Open(dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d.%d.%d", os.Getpid(), g, i)
				r := Record{Event: Command, Session: name}
				put := func() error { return l.Note(r) }
				if i%3 == 0 {
					put = func() error { return l.Record(context.Background(), r) }
				}
				if err := put(); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				// One write system call each: a line that was begun is a line that arrives.
				if _, err := os.Stdout.WriteString(name + "\n"); err != nil {
					os.Exit(1)
				}
			}
		}()
	}
	select {}
}

// A process is killed in mid-append, again and again on the same log: no record is lost that was confirmed. With FTPGW_SOAK set that
// is 500 times.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	confirmed := map[string]bool{}
	runs := 30
	if os.Getenv("FTPGW_SOAK") != "" {
		runs = 500
	}
	for run := range runs {
		for _, name := range killedAfter(t, dir, 1+run*7%211) {
			confirmed[name] = true
		}
	}
	open(t, dir)
	found := map[string]bool{}
	for _, r := range records(t, dir) {
		found[r.Session] = true
	}
	for name := range confirmed {
		if !found[name] {
			t.Errorf("record %s was confirmed and is lost", name)
		}
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Error(err)
	}
	t.Logf("%d records confirmed, %d in the log", len(confirmed), len(found))
}

// killedAfter runs a child, kills it when it has confirmed n records, and returns all that it confirmed.
func killedAfter(t *testing.T, dir string, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "AUDIT_TEST_CHILD="+dir, "GOMAXPROCS="+strconv.Itoa(2))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var names []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		names = append(names, lines.Text())
		if len(names) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(names) < n {
		t.Fatalf("the child ended by itself after %d records", len(names))
	}
	return names
}
