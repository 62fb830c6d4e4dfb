// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Names that are legal but unusual go all the way and come back: sent, listed, fetched, renamed, deleted.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"with spaces and  two", "comma,name;v=1", `quo"te's`, "Störung 保護 ⚡", "-leading", "--help", "-la", "per%20cent%s%n",
		"star*[a]?", "~tilde", "a=b&c|d", "#hash", strings.Repeat("l", 255),
	}
	slices.Sort(names)
	g := startGateway(t, setup{})
	f := g.login(0)
	for _, name := range names {
		f.put(name, []byte(name))
		if got, err := os.ReadFile(filepath.Join(g.home(0), name)); err != nil || string(got) != name {
			t.Errorf("%q is not on the server: %q, %v", name, got, err)
		}
		if got := f.get("RETR %s", name); string(got) != name {
			t.Errorf("RETR %q: got %q", name, got)
		}
	}
	if got := factNames(t, f.get("MLSD")); !sameNames(got, names) {
		t.Errorf("MLSD has %q", got)
	}
	if got := lines(f.get("NLST")); !sameNames(got, names) {
		t.Errorf("NLST has %q", got)
	}
	list := f.get("LIST")
	for _, name := range names {
		if !bytes.Contains(list, []byte(" "+name+"\r\n")) {
			t.Errorf("LIST lacks %q", name)
		}
		f.expect(350, "RNFR %s", name)
		f.expect(250, "RNTO renamed")
		f.expect(350, "RNFR renamed")
		f.expect(250, "RNTO %s", name)
		f.expect(250, "DELE %s", name)
	}
	if left := filesBelow(t, g.home(0)); len(left) > 0 {
		t.Errorf("left on the server: %q", left)
	}
	var recorded []string
	for _, r := range g.recordsOf(audit.TransferCommitted) {
		if r.Op == "upload" {
			recorded = append(recorded, strings.TrimPrefix(r.Path, "/"))
		}
	}
	if !sameNames(recorded, names) {
		t.Errorf("the audit log has %q", recorded)
	}
}

// In 257 replies a quote in a name is doubled (RFC 959, appendix II).
func TestQuotesInDirectoryNames(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	const quoted = `"/a ""b"" c"`
	if r := f.expect(257, `MKD a "b" c`); !strings.HasPrefix(r.text, quoted) {
		t.Errorf("MKD: %v", r)
	}
	f.expect(250, `CWD a "b" c`)
	if r := f.expect(257, "PWD"); !strings.HasPrefix(r.text, quoted) {
		t.Errorf("PWD: %v", r)
	}
	f.put("x", []byte("x"))
	f.expect(250, "CDUP")
	if r := f.expect(257, "PWD"); !strings.HasPrefix(r.text, `"/"`) {
		t.Errorf("PWD after CDUP: %v", r)
	}
	f.expect(5, `RMD a "b" c`) // not empty
	f.expect(250, `DELE a "b" c/x`)
	f.expect(250, `RMD a "b" c`)
}

// sameNames compares without regard to order.
func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
