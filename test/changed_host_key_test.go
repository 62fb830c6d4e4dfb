// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// A server that shows another host key than the pinned one gets nothing, not even a login; devices are told 4yz.
func TestChangedHostKey(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.put("/before", []byte("before"))
	g.server.ChangeHostKey()
	g.server.Kill()
	mark := len(g.server.Log())
	g.server.Restart()
	g.waitLog("host key")
	if conn, r := f.tryData("STOR /after"); conn != nil || r.code/100 != 4 {
		t.Errorf("STOR: %v, want 4yz at once", r)
	}
	f.expect(4, "SIZE /before")
	log := g.server.Log()[mark:]
	for _, word := range []string{"Accepted", "publickey for", "subsystem"} {
		if strings.Contains(log, word) {
			t.Errorf("the server with another key saw a login:\n%s", log)
		}
	}
	if files := filesBelow(t, g.server.Root); len(files) != 1 {
		t.Errorf("on the server: %q", files)
	}
}

// The same where the pinned key is another one from the start.
func TestWrongHostKeyFromTheStart(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.ChangeHostKey()
	s.Restart()
	g := startGateway(t, setup{server: s})
	f := g.login(0)
	if conn, r := f.tryData("STOR /file"); conn != nil || r.code/100 != 4 {
		t.Errorf("STOR: %v, want 4yz at once", r)
	}
	if strings.Contains(s.Log(), "Accepted") {
		t.Errorf("the server saw a login:\n%s", s.Log())
	}
	if list, err := os.ReadDir(s.Root); err != nil || len(list) > 0 {
		t.Errorf("on the server: %v, %v", list, err)
	}
}
