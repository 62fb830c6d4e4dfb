// SPDX-License-Identifier: Apache-2.0

package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCommandLine runs the scripts of testdata/cli against the program: what it prints, where, and with which status it exits.
// With FTPGW_UPDATE_SCRIPTS=1 the files that the scripts compare with are rewritten.
func TestCommandLine(t *testing.T) {
	program := binary(t)
	need(t, "ssh-keygen")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cli",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("FTPGW_UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": expectStatus,
			"fill":   fill,
		},
	})
}

// expectStatus is "status N program args...": it runs the program, which must exit with N.
func expectStatus(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("status %q is not a number", args[0])
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// fill is "fill template word file target": it writes the template to target with the first line of the file for each word.
func fill(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 4 {
		ts.Fatalf("usage: fill template word file target")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[2]), "\n")
	text := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], line)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(text), 0o644))
}
