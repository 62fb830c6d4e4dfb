// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repositoryFiles lists the files of the repository whose names end in one of these, relative to its root. Those that are not
// tracked yet count, those that are ignored do not.
func repositoryFiles(t *testing.T, endings ...string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var list []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		for _, e := range endings {
			if name != "" && strings.HasSuffix(name, e) {
				list = append(list, name)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("no files end in %q", endings)
	}
	return list
}

// Every source file says under which license it is: in its first line, or in its second after the line that names the interpreter.
func TestLicenseHeader(t *testing.T) {
	t.Parallel()
	const mark = "SPDX-License-Identifier: Apache-2.0"
	for _, name := range repositoryFiles(t, ".go", ".sh", "Makefile", ".ci/run") {
		if strings.Contains(name, "testdata/") {
			continue
		}
		f, err := os.Open(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, but not yet from the index
		}
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(f)
		in.Scan()
		first := in.Text()
		if strings.HasPrefix(first, "#!") {
			in.Scan()
			first = in.Text()
		}
		_ = f.Close()
		comment := "// " + mark
		if !strings.HasSuffix(name, ".go") {
			comment = "# " + mark
		}
		if first != comment {
			t.Errorf("%s begins with %q, want %q", name, first, comment)
		}
	}
}
