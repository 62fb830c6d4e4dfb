// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// A stolen disk tells neither names nor contents of what waits on it, and everything is delivered by a gateway that has the key.
func TestStolenSpool(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "age.key")
	if err := os.WriteFile(keyFile, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, rules: spoolAll(""), spool: plainSpool + fmt.Sprintf("\nage_recipient = %q\nage_identity = %q", identity.Recipient(), keyFile)})
	f := g.login(0)
	data := bytes.Repeat([]byte("pump pressure 4.2 bar; "), 1000)
	f.put("/pressure-of-pump-4.csv", data)
	if got := f.get("RETR /pressure-of-pump-4.csv"); !bytes.Equal(got, data) {
		t.Errorf("the device gets %d bytes back", len(got))
	}
	dir := filepath.Join(g.dir, "spool")
	files := filesBelow(t, dir)
	for _, name := range files {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"pressure", "relay", "PRC-002", "the test is about"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds %q in clear", name, secret)
			}
		}
	}
	if len(files) < 2 {
		t.Errorf("there is nothing to look at: %q", files)
	}
	g.kill()
	g.startAgain()
	s.Restart()
	eventually(t, "delivery", func() bool {
		got, err := os.ReadFile(filepath.Join(g.home(0), "pressure-of-pump-4.csv"))
		return err == nil && bytes.Equal(got, data)
	})
}
