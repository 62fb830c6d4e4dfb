// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programPath is where TestMain has put the program; read it with binary.
var programPath string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the program once for all tests: as it is delivered, or with the race detector where FTPGW_RACE=1 asks for it.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ftpgw-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a directory for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	programPath = filepath.Join(dir, "ftpgw")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", programPath, "../cmd/ftpgw")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("FTPGW_RACE") == "1" {
		build.Args = append(build.Args[:2], append([]string{"-race"}, build.Args[2:]...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	return m.Run()
}

// binary is the path of the program under test.
func binary(t testing.TB) string {
	t.Helper()
	if programPath == "" {
		t.Fatal("the program was not built")
	}
	return programPath
}

// need finds programs that a test uses. Where one is missing the test is skipped; where FTPGW_REQUIRE_REAL is set, it fails.
func need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if _, err := os.Stat(filepath.Join("/usr/sbin", p)); err != nil {
				missing = append(missing, p)
			}
		}
	}
	if len(missing) == 0 {
		return
	}
	cannot(t, "needs %s, which is not installed (test/install-deps.sh does it on Debian)", strings.Join(missing, ", "))
}

// cannot skips a test that this machine does not allow; where FTPGW_REQUIRE_REAL is set, the test fails.
func cannot(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("FTPGW_REQUIRE_REAL") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
