// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

const expectCompanion = `
rule "records" {
  reason     = "every record comes with its size"
  devices    = ["*"]
  allow      = ["upload", "append", "list"]
  incomplete = "keep"
  expect {
    companion = "{name}.size"
    max_size  = "2MiB"
  }
}
`

// A rule compares each file with the size that its companion tells, and keeps what is not whole under another name.
func TestExpectedSizeAndIncompleteFiles(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: expectCompanion})
	f := g.login(0)
	f.expectReply("STOR without a companion", f.store("/r.dat", strings.NewReader("12345")), 451)
	f.put("/r.dat.size", []byte("6\r\n"))
	f.expectReply("STOR of another size", f.store("/r.dat", strings.NewReader("12345")), 451)
	f.put("/r.dat", []byte("123456"))
	f.expectReply("STOR of too much", f.store("/s.dat", bytes.NewReader(make([]byte, 4<<20))), 451)

	// A device that is reset in the middle leaves its part, and the file from before.
	conn := f.data("STOR /r.dat")
	write(t, conn, []byte("123"))
	g.waitTemp(0)
	reset(t, conn)
	f.expectReply("STOR that is broken off", f.read(), 426)

	want := map[string]string{"r.dat": "123456", "r.dat.size": "6\r\n"}
	for _, r := range g.recordsOf(audit.TransferAborted) {
		if r.FailedEvidence == "" || r.To == "" || r.Receipt == nil || !r.Receipt.Fsynced || !r.Receipt.Atomic {
			t.Errorf("aborted, but not kept: %+v", r.TransferFields)
			continue
		}
		switch {
		case r.FailedEvidence == "fin":
			want[r.To[1:]] = "123"
		case r.FailedEvidence == "expect-companion":
			want[r.To[1:]] = "12345"
		case r.FailedEvidence == "expect-max-size":
			want[r.To[1:]] = "" // whatever had come
		}
	}
	if len(want) != 6 {
		t.Errorf("%d files, want 6: %q", len(want), want)
	}
	got := filesBelow(t, g.home(0))
	if len(got) != len(want) {
		t.Errorf("on the server: %q", got)
	}
	for _, name := range got {
		data, err := os.ReadFile(filepath.Join(g.home(0), name))
		text, known := want[name]
		if err != nil || !known || text != "" && string(data) != text {
			t.Errorf("%s has %d bytes, %v", name, len(data), err)
		}
	}
}
