// SPDX-License-Identifier: Apache-2.0

package test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// A file that the appliance's own disk has changed is not complete for a device, wherever its download begins.
func TestDamagedFileInTheSpoolGetsNo226(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, spool: plainSpool, rules: spoolAll("")})
	f := g.login(0)
	f.put("/file", pattern3(100_000))
	entries := filepath.Join(g.dir, "spool", "entries")
	names := filesBelow(t, entries)
	if len(names) != 1 {
		t.Fatalf("in the spool: %q", names)
	}
	file, err := os.OpenFile(filepath.Join(entries, names[0]), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("rotten"), 1000); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	f.expect(451, "HASH /file")
	for _, offset := range []int{0, 1000, 50_000, 100_000} {
		f.expect(350, "REST %d", offset)
		conn := f.data("RETR /file")
		if _, err := io.Copy(io.Discard, conn); err == nil {
			t.Errorf("from byte %d: the data ended in order", offset)
		}
		_ = conn.Close()
		if r := f.read(); r.code != 451 {
			t.Errorf("from byte %d: %v", offset, r)
		}
	}
}
