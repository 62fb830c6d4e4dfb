// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// An upload that continues a file (REST and STOR, APPE) is published whole or not at all: the file from before is whole until then,
// and two that continue the same file do not mix.
func TestContinuedUploads(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f, other := g.login(0), g.login(0)
	stored := filepath.Join(g.home(0), "log")
	is := func(what string, want ...[]byte) {
		t.Helper()
		got, err := os.ReadFile(stored)
		if err != nil || !bytes.Equal(got, bytes.Join(want, nil)) {
			t.Fatalf("%s: %d bytes, not as they should be: %v", what, len(got), err)
		}
	}
	begin, middle, end := content(t, 300_000, 1), content(t, 200_000, 2), content(t, 100_000, 3)
	f.put("/log", begin)
	f.expectReply("APPE", f.appendTo("/log", middle), 226)
	is("after APPE", begin, middle)

	f.expect(350, "REST %d", len(begin))
	f.put("/log", end)
	is("after REST and STOR", begin, end)

	f.epsv()
	f.expect(350, "REST %d", len(begin)+len(end)+1)
	f.expect(554, "STOR /log")
	f.epsv()
	f.expect(350, "REST 1")
	f.expect(554, "STOR /not-there")
	is("after a wrong offset", begin, end)

	conn := f.data("APPE /log")
	write(t, conn, middle)
	reset(t, conn)
	f.expectReply("APPE that breaks off", f.read(), 426)
	is("after one that broke off", begin, end)

	a, b := f.data("APPE /log"), other.data("APPE /log")
	write(t, a, begin)
	write(t, b, middle)
	_ = a.Close()
	f.expectReply("the first of two", f.read(), 226)
	_ = b.Close()
	other.expectReply("the second of two", other.read(), 4)
	is("after two at once", begin, end, begin)
	other.expectReply("the second, again", other.appendTo("/log", middle), 226)
	is("after the second, again", begin, end, begin, middle)
	if files := filesBelow(t, g.server.Root); len(files) != 1 {
		t.Errorf("on the server: %q", files)
	}
}

func (f *ftp) appendTo(path string, content []byte) reply {
	f.t.Helper()
	conn := f.data("APPE %s", path)
	write(f.t, conn, content)
	_ = conn.Close()
	return f.read()
}
