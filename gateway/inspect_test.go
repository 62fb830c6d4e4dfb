// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
)

const smallCFG = "Station,7,1999\n1,1A,0D\n1,IA,A,,A,0.1,0,0,-32767,32767,1,1,P\n50\n1\n1000,4\n02/03/2026,12:34:56.123456\n02/03/2026,12:34:56.2\nBINARY\n1\n"

// What is in a file decides, not its name: nothing of what is refused is published, and the record names rule and finding.
func TestContentIsRefused(t *testing.T) {
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 200)
	records := func(bytes int) string { return strings.Repeat("\x01", bytes) }
	rule := all("far")
	rule.Content = &policy.Content{Types: []string{"comtrade"}}
	w := newWorld(t, rule)
	for _, tt := range []struct {
		name, content, finding string
		early                  bool
	}{
		{"/fault.dat", records(40), "there is no .cfg", true},
		{"/firmware.cfg", elf, "its content is elf", false},
		{"/fault.cfg", smallCFG, "", false},
		{"/wrapped.cfg", smallCFG + "PK\x03\x04\x00", "has no place in a text", false},
		{"/fault.dat", records(39), "40 bytes, and there are 39", false},
		{"/fault.dat", records(40), "", false},
		{"/note.txt", "hello", "its content is text", false},
	} {
		err := w.upload(tt.name, strings.NewReader(tt.content))
		got, there := w.far.Get("/relay" + tt.name)
		r := w.log.last(t)
		if tt.finding == "" {
			if err != nil || string(got) != tt.content || r.Content != "comtrade" {
				t.Errorf("%s: %v, record %+v", tt.name, err, r.TransferFields)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.finding) || gateway.IsTemporary(err) != tt.early || errors.Is(err, fs.ErrPermission) == tt.early {
			t.Errorf("%s: %v", tt.name, err)
		}
		if there {
			t.Errorf("%s was published", tt.name)
		}
		if r.Event != audit.TransferAborted || r.Rule != "all" || !strings.Contains(r.Cause, tt.finding) || r.Content == "" {
			t.Errorf("%s: record %+v %+v", tt.name, r, r.TransferFields)
		}
	}
}

func TestDigestsAreHeldAgainstTheList(t *testing.T) {
	rule := all("far")
	rule.Content = &policy.Content{SHA256: map[string]bool{fmt.Sprintf("%x", sha256.Sum256([]byte("released"))): true}}
	w := newWorld(t, rule)
	if err := w.upload("/v1.bin", strings.NewReader("released")); err != nil {
		t.Error(err)
	}
	if err := w.upload("/v2.bin", strings.NewReader("other")); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "is not on the rule's list") {
		t.Errorf("got %v", err)
	}
}
