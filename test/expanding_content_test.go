// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

const packedRecords = `
rule "no-programs" {
  reason = "CIP-007: nothing that runs"
  deny   = ["upload"]
  types  = ["elf"]
}
rule "packed" {
  reason = "PRC-002: packed records, as far as the archive server can unpack them"
  allow  = ["upload", "list"]
  content {
    max_expansion = 200
    max_expanded  = "4MiB"
  }
}
`

// zipOf is an archive of one file.
func zipOf(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What would fill the disk of whoever unpacks it does not cross, nor does what nobody can look into; a program does not cross under
// any name. Nothing is published, the reply is 550, and the record names rule and finding.
func TestExpandingContent(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: packedRecords})
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	harmless := zipOf(t, []byte("hello"))
	encrypted := bytes.Clone(harmless)
	encrypted[6] |= 1
	f := g.login(0)
	refused := []struct {
		name    string
		content []byte
		event   audit.Event
		finding string
	}{
		{"/bomb.gz", bomb.Bytes(), audit.DecisionDenied, "rule packed refuses the content: it expands to more than the 4194304 bytes"},
		{"/nested.zip", zipOf(t, bomb.Bytes()), audit.DecisionDenied, "it expands to more than the 4194304 bytes"},
		{"/ratio.cfg", zipOf(t, make([]byte, 1<<20)), audit.DecisionDenied, "to 1048576 bytes, and the rule lets 200 times its size pass"},
		{"/encrypted.zip", encrypted, audit.DecisionDenied, "cannot be judged: as zip it cannot be read: it is encrypted"},
		{"/cut.zip", harmless[:len(harmless)-1], audit.DecisionDenied, "it ends in the middle"},
		{"/fault.cfg", []byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 5000)), audit.DecisionDenied, "CIP-007"},
	}
	for _, tt := range refused {
		f.expectReply(tt.name, f.store(tt.name, bytes.NewReader(tt.content)), 550)
	}
	if files := filesBelow(t, g.server.Root); len(files) != 0 {
		t.Errorf("on the server: %q", files)
	}
	f.put("/records.zip", harmless)
	records := append(g.recordsOf(audit.TransferAborted), g.recordsOf(audit.DecisionDenied)...)
	for _, tt := range refused {
		if !slices.ContainsFunc(records, func(r audit.Record) bool {
			return r.Event == tt.event && r.Path == tt.name && strings.Contains(r.Cause+r.Reason, tt.finding)
		}) {
			t.Errorf("%s: no %s on record that says %q: %+v", tt.name, tt.event, tt.finding, records)
		}
	}
}
