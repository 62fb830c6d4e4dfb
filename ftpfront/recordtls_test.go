// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// A file that ends with its end-of-file mark is whole before the connection has ended: what has not been seen is no evidence.
func TestNoCloseNotifyBehindTheEndOfFileMark(t *testing.T) {
	a := newAuthority(t)
	f := startTLS(t, a, nil)
	config := a.device(tls.VersionTLS13)
	c := f.authTLS(t, config)
	c.cmd(200, "STRU R")
	conn, err := c.dataTLS("STOR /r", config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("line\xff\x03")); err != nil {
		t.Fatal(err)
	}
	c.expect(226) // before the device has said close_notify or closed
	for _, r := range f.log.of(audit.TransferCommitted) {
		if slices.Contains(r.Evidence, "close-notify") {
			t.Errorf("the connection is still open, yet the evidence is %q", r.Evidence)
		}
	}
	if err := conn.NetConn().Close(); err != nil {
		t.Error(err)
	}
}
