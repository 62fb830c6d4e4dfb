// SPDX-License-Identifier: Apache-2.0

package sftpfault

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// A fault strikes at the n-th request of its kind since it was armed, once.
func TestScript(t *testing.T) {
	s := &Server{}
	s.note(Request{Op: Write})
	a := s.Arm(Fault{Op: Write, Nth: 2, Kind: Fail})
	var struck []bool
	for _, op := range []Op{Write, Read, Write, Write} {
		struck = append(struck, s.note(Request{Op: op}) == a)
	}
	if struck[0] || struck[1] || !struck[2] || struck[3] {
		t.Errorf("struck: %v", struck)
	}
	<-a.Struck()
	if n := len(s.Trace()); n != 5 {
		t.Errorf("%d requests in the trace", n)
	}
	s.Disarm()
	<-a.release // the one who holds something is let go
	if s.Arm(Fault{Op: Write, Nth: 1}); len(s.script) != 1 {
		t.Errorf("%d faults on duty", len(s.script))
	}
}

func writeRequest(handle string, at uint64, data []byte) packet {
	p := appendString(head(fxpWrite, 7), handle)
	p = binary.BigEndian.AppendUint64(p, at)
	return appendString(p, string(data))
}

func TestParse(t *testing.T) {
	op, handle, _ := parse(writeRequest("h", 4096, []byte("12345678")))
	if op != Write || handle != "h" {
		t.Errorf("%s of %q", op, handle)
	}
	extended := appendString(appendString(head(fxpExtended, 7), "posix-rename@openssh.com"), "/from")
	if op, path, _ := parse(extended); op != PosixRename || path != "/from" {
		t.Errorf("%s of %q", op, path)
	}
	if op, path, _ := parse(head(fxpExtended, 7)); op != "" || path != "" {
		t.Errorf("of nothing: %s, %q", op, path)
	}
}

// The data of a write and of the answer to a read are changed, and nothing else.
func TestSpoiled(t *testing.T) {
	read := appendString(head(fxpData, 7), "12345678")
	for name, p := range map[string]packet{"write": writeRequest("handle", 4096, []byte("12345678")), "read": read} {
		wrong := corrupt(bytes.Clone(p))
		if different := diff(p, wrong); len(p) != len(wrong) || different != 1 {
			t.Errorf("%s: corrupt changes %d bytes", name, different)
		}
		half := halve(bytes.Clone(p))
		if data, _ := str(half[dataAt(half):]); data != "1234" {
			t.Errorf("%s: the first half is %q", name, data)
		}
	}
}

func diff(a, b packet) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
