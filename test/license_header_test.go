// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repositoryFiles lists the files of the repository whose names end in one of these, relative to its root, without what the
// Makefile builds and what tools keep in hidden directories.
func repositoryFiles(t *testing.T, endings ...string) []string {
	t.Helper()
	var list []string
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if hidden := name != "." && name != ".ci" && strings.HasPrefix(d.Name(), "."); hidden || name == "bin" || name == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		for _, e := range endings {
			if strings.HasSuffix(name, e) {
				list = append(list, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
