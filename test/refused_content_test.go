// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

const recordsOnly = `
rule "records-only" {
  reason  = "PRC-002: COMTRADE records, and nothing that is only named like one"
  devices = ["*"]
  allow   = ["upload", "list"]
  content { types = ["comtrade"] }
  deliver { path = "/records/${device.name}/${lower(file.name)}" }
}
`

const faultCFG = "Station,7,1999\r\n1,1A,0D\r\n1,IA,A,,A,0.1,0,0,-32767,32767,1,1,P\r\n50\r\n1\r\n1000,4\r\n" +
	"02/03/2026,12:34:56.123456\r\n02/03/2026,12:34:56.2\r\nBINARY\r\n1\r\n"

// A firmware image that is called .cfg, and a record that lacks a byte, do not cross; a whole record does, to where the rule says.
func TestRefusedContent(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: recordsOnly})
	f := g.login(0)
	f.expectReply("data before its configuration", f.store("/FAULT.DAT", strings.NewReader(strings.Repeat("\x01", 40))), 451)
	f.expectReply("firmware called .cfg", f.store("/FAULT.CFG", strings.NewReader("\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 5000))), 550)
	if files := filesBelow(t, g.server.Root); len(files) != 0 {
		t.Errorf("on the server: %q", files)
	}
	f.put("/FAULT.CFG", []byte(faultCFG))
	f.expectReply("data that lack a byte", f.store("/FAULT.DAT", strings.NewReader(strings.Repeat("\x01", 39))), 550)
	f.put("/FAULT.DAT", []byte(strings.Repeat("\x01", 40)))
	combined := "--- file type: CFG ---\r\n" + faultCFG + "--- file type: DAT BINARY: 40 ---\r\n" + strings.Repeat("\x01", 40)
	f.expectReply("a combined file that lacks a byte", f.store("/FAULT.CFF", strings.NewReader(combined[:len(combined)-1])), 550)
	f.put("/FAULT.CFF", []byte(combined))

	name := g.devices[0].name
	want := []string{filepath.Join("records", name, "fault.cff"), filepath.Join("records", name, "fault.cfg"), filepath.Join("records", name, "fault.dat")}
	if files := filesBelow(t, g.server.Root); !slices.Equal(files, want) {
		t.Errorf("on the server: %q, want %q", files, want)
	}
	if got, err := os.ReadFile(filepath.Join(g.server.Root, want[1])); err != nil || string(got) != faultCFG {
		t.Errorf("%q, %v", got, err)
	}
	findings := []string{"there is no .cfg", "its content is elf", "40 bytes, and there are 39", "said to be 40 bytes, and there are 39"}
	aborted := g.recordsOf(audit.TransferAborted)
	if len(aborted) != len(findings) {
		t.Fatalf("%d aborted transfers on record, want %d", len(aborted), len(findings))
	}
	loaded := g.recordsOf(audit.ConfigLoaded)
	for i, r := range aborted {
		if len(loaded) != 1 || len(r.Policy) != 64 || r.Policy != loaded[0].Detail["digest"] {
			t.Errorf("the record names policy %q, loaded was %+v", r.Policy, loaded)
		}
		if r.Rule != "records-only" || !strings.Contains(r.Cause, findings[i]) {
			t.Errorf("record %+v %+v, want %q", r, r.TransferFields, findings[i])
		}
	}
}
