// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("AUDIT_TEST_CHILD"); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens the log in dir and closes it when the test ends; a Close of the test's own does no harm.
func open(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// records reads the whole log and holds it to what every log promises: a sequence without gaps, and times that never go back.
func records(t testing.TB, dir string) []Record {
	t.Helper()
	var list []Record
	for r, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
		n := len(list)
		if r.Seq != uint64(n) {
			t.Fatalf("record %d of the log has seq %d", n, r.Seq)
		}
		if n > 1 && r.Time.Before(list[n-2].Time) {
			t.Fatalf("seq %d is of %v, before %v of the one in front of it", r.Seq, r.Time, list[n-2].Time)
		}
	}
	return list
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
}
