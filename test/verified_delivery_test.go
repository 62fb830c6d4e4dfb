// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// deliverWith is one rule that allows everything, with these attributes of its deliver block.
func deliverWith(attributes string) string {
	return strings.TrimSuffix(strings.TrimSpace(allowAll), "}") + "  deliver {\n" + attributes + "\n  }\n}\n"
}

// A rule says how the content is compared before the file gets its name; the record says how it was.
func TestVerifiedDelivery(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{"size": "size", "readback": "readback", "extension": "readback"} { // OpenSSH computes none
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{rules: deliverWith(fmt.Sprintf("verify = %q\nrequire = [\"fsync\", \"atomic\"]", rule))})
			f := g.login(0)
			data := pattern3(600_000)
			f.put("/file", data)
			f.expect(350, "REST 300000")
			f.put("/file", data[300_000:]) // a continued file is compared whole
			f.put("/empty", nil)
			if got := f.get("RETR /file"); !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back, want %d", len(got), len(data))
			}
			n := 0
			for _, r := range g.recordsOf(audit.TransferCommitted) {
				if r.Op == "download" {
					continue
				}
				n++
				if r.Receipt == nil || r.Receipt.Verified != want || !r.Receipt.Fsynced || !r.Receipt.Atomic {
					t.Errorf("receipt of %s: %+v", r.Path, r.Receipt)
				}
			}
			if n != 3 {
				t.Errorf("%d uploads on record", n)
			}
		})
	}
}

// A server that stores something else than it was sent is found out by its content: 451, and nothing is published.
func TestCorruptedDelivery(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"readback", "extension"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s, at := startFaultyServer(t)
			g := startGateway(t, setup{server: at, rules: deliverWith(fmt.Sprintf("verify = %q", rule))})
			f := g.login(0)
			data := pattern3(3*faultPacket + 1)
			f.put("/file", data)
			for _, kind := range []sftpfault.Kind{sftpfault.Corrupt, sftpfault.Short} {
				s.Arm(sftpfault.Fault{Op: sftpfault.Write, Nth: 2, Kind: kind})
				f.expectReply("STOR", f.store("/file", bytes.NewReader(bytes.Repeat([]byte("x"), len(data)))), 451)
				s.Disarm()
			}
			if got := f.get("RETR /file"); !bytes.Equal(got, data) {
				t.Error("the old file is not what it was")
			}
			if files := filesBelow(t, g.home(0)); len(files) != 1 {
				t.Errorf("on the server: %q", files)
			}
			for _, r := range g.recordsOf(audit.TransferCommitted) {
				if r.Op == "upload" && r.Receipt.Verified != rule {
					t.Errorf("receipt: %+v", r.Receipt)
				}
			}
			aborted := g.recordsOf(audit.TransferAborted)
			if len(aborted) != 2 || !strings.Contains(aborted[0].Cause, "does not hold what was sent") {
				t.Errorf("aborted on record: %+v", aborted)
			}
		})
	}
}

// What a rule requires and the server does not offer is refused before a data connection is opened, with 450; the cause is in the log
// for operators. Without the requirement the file is taken, and the receipt says what was not achieved.
func TestUnmetRequirement(t *testing.T) {
	t.Parallel()
	for requirement, lacking := range map[string]sftpfault.Op{"fsync": sftpfault.Fsync, "atomic": sftpfault.PosixRename} {
		t.Run(requirement, func(t *testing.T) {
			t.Parallel()
			_, at := startFaultyServer(t, lacking)
			g := startGateway(t, setup{server: at, rules: deliverWith(fmt.Sprintf("require = [%q]", requirement))})
			f := g.login(0)
			if conn, r := f.tryData("STOR /file"); conn != nil || r.code != 450 || strings.Contains(r.text, "openssh") {
				t.Errorf("STOR: %v, want 450 at once and no word about the server", r)
			}
			if files := filesBelow(t, at.Root); len(files) > 0 {
				t.Errorf("on the server: %q", files)
			}
			g.waitLog(string(lacking) + "@openssh.com")

			g = startGateway(t, setup{server: at})
			g.login(0).put("/file", []byte("new"))
			for _, r := range g.recordsOf(audit.TransferCommitted) {
				if r.Receipt.Fsynced != (lacking != sftpfault.Fsync) || r.Receipt.Atomic != (lacking != sftpfault.PosixRename) {
					t.Errorf("receipt: %+v", r.Receipt)
				}
			}
		})
	}
}
