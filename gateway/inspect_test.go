// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"go.uber.org/goleak"

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

// zeros is a compressed file of n zeros, and deep one of them in each other.
func zeros(t *testing.T, n, deep int) string {
	t.Helper()
	content := make([]byte, n)
	for range deep {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content = out.Bytes()
	}
	return string(content)
}

// What would fill a disk when it is unpacked is not published, whatever its headers say; nor is what cannot be judged.
func TestExpandingContentIsRefused(t *testing.T) {
	rule := all("far")
	rule.Content = &policy.Content{MaxExpansion: 100, MaxExpanded: 1 << 20}
	w := newWorld(t, rule)
	ten := zeros(t, 10_000, 1) // a few dozen bytes
	for _, tt := range []struct{ name, content, finding string }{
		{"/fine.gz", zeros(t, 1_000, 1), ""},
		{"/plain.bin", strings.Repeat("\x01", 100_000), ""},
		{"/ratio.gz", ten, fmt.Sprintf("it expands from %d to 10000 bytes, and the rule lets 100 times", len(ten))},
		{"/bomb.bin", zeros(t, 2<<20, 1), "it expands to more than the 1048576 bytes"},
		{"/hidden.gz", zeros(t, 64<<20, 2), "it expands to more than the 1048576 bytes"},
		{"/damaged.gz", ten[:len(ten)-1], "how far it expands cannot be judged: as gzip it cannot be read: unexpected EOF"},
		{"/other.7z", "7z\xbc\xaf\x27\x1c\x00\x04" + strings.Repeat("\x00", 100), "application/x-7z-compressed, which is not looked into"},
	} {
		err := w.upload(tt.name, strings.NewReader(tt.content))
		_, there := w.far.Get("/relay" + tt.name)
		r := w.log.last(t)
		if tt.finding == "" {
			if err != nil || !there {
				t.Errorf("%s: %v, published %v", tt.name, err, there)
			}
			continue
		}
		if !errors.Is(err, fs.ErrPermission) || gateway.IsTemporary(err) || !strings.Contains(err.Error(), tt.finding) || there {
			t.Errorf("%s: %v, published %v", tt.name, err, there)
		}
		if r.Event != audit.TransferAborted || r.Rule != "all" || !strings.Contains(r.Cause, tt.finding) {
			t.Errorf("%s: record %+v %+v", tt.name, r, r.TransferFields)
		}
	}
}

// A transfer that ends early leaves nothing of the measuring behind.
func TestAbortEndsTheMeasuring(t *testing.T) {
	defer goleak.VerifyNone(t)
	rule := all("far")
	rule.Content = &policy.Content{MaxExpanded: 1 << 40}
	w := newWorld(t, rule)
	broken := errors.New("the device is gone")
	if err := w.upload("/a.gz", io.MultiReader(strings.NewReader(zeros(t, 8<<20, 1)[:4000]), readFunc(func([]byte) (int, error) { return 0, broken }))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// Types as a condition are decided when the content is known: by the rule that fits then, or by none.
func TestTypesDecideAtTheEnd(t *testing.T) {
	programs, records, rest := all("far"), all("far"), all("far")
	programs.Name, programs.Deny, programs.Types, programs.Ops = "programs", true, []string{"elf"}, []policy.Operation{policy.Upload}
	records.Name, records.Types, records.Ops, records.Paths = "records", []string{"comtrade"}, []policy.Operation{policy.Upload}, paths("/events/**")
	rest.Name, rest.Ops, rest.Paths = "rest", []policy.Operation{policy.Upload}, paths("/other/**")
	w := newWorld(t, programs, records, rest)
	for _, dir := range []string{"/events", "/other"} {
		if err := w.far.Mkdir(context.Background(), gateway.Location{Home: "/relay", Path: dir}); err != nil {
			t.Fatal(err)
		}
	}
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 200)
	for _, tt := range []struct {
		name, content, rule string
		denied, early       bool
	}{
		{"/events/a.cfg", elf, "programs", true, false},
		{"/events/note.txt", "hello", "", true, false},
		{"/events/fault.dat", strings.Repeat("\x01", 40), "records", false, true}, // without a .cfg nobody knows
		{"/other/fault.dat", strings.Repeat("\x01", 40), "rest", false, false},    // whatever it is
		{"/events/fault.cfg", smallCFG, "records", false, false},
		{"/events/fault.dat", strings.Repeat("\x01", 39), "", true, false},
		{"/events/fault.dat", strings.Repeat("\x01", 40), "records", false, false},
		{"/other/a", elf, "programs", true, false},
	} {
		err := w.upload(tt.name, strings.NewReader(tt.content))
		got, there := w.far.Get("/relay" + tt.name)
		r := w.log.last(t)
		if tt.denied != errors.As(err, new(*gateway.DeniedError)) || tt.early != gateway.IsTemporary(err) || !tt.denied && !tt.early && (err != nil || string(got) != tt.content) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if (tt.denied || tt.early) && there {
			t.Errorf("%s was published", tt.name)
		}
		want := audit.TransferCommitted
		if tt.denied || tt.early {
			want = audit.TransferAborted
		}
		if r.Event != want || r.Content == "" {
			t.Errorf("%s: record %+v %+v", tt.name, r, r.TransferFields)
		}
		if tt.denied {
			r = w.log.records[len(w.log.records)-2]
		}
		if r.Rule != tt.rule || tt.denied && r.Event != audit.DecisionDenied {
			t.Errorf("%s: decided by %+v", tt.name, r.TransferFields)
		}
	}
}
