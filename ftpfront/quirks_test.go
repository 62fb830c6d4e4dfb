// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/policy"
)

func TestMkdExisting(t *testing.T) {
	for code, want := range map[int]int{0: 550, 550: 550, 521: 521, 257: 257} {
		f := start(t, withQuirks(Quirks{MkdExisting: code}))
		c := f.login(t)
		c.cmd(257, `MKD a"b`)
		if got := c.cmd(want, `MKD a"b`); want != 550 && !strings.Contains(got, `"/a""b"`) {
			t.Errorf("%d: got %q", code, got)
		}
		f.remote.Put("/relay/file", nil)
		c.cmd(550, "MKD file")
		c.cmd(550, "MKD /secret/x")
	}
}

func TestMakeParents(t *testing.T) {
	f := start(t, withQuirks(Quirks{MakeParents: On}))
	c := f.login(t)
	c.store(226, "STOR a/b/x", []byte("x"))
	f.stored(t, "/relay/a/b/x", "x")
	c.cmd(257, "MKD c/d/e")
	c.cmd(250, "CWD c/d/e")
	c.pasv()
	c.cmd(550, "STOR /secret/deep/x")
	c.cmd(550, "MKD /secret/deep/x")
	c.pasv()
	c.cmd(550, "STOR /a/b/x/y/z") // a file is in the way
	if got := string(c.fetch("NLST /")); got != "/a\r\n/c\r\n" {
		t.Errorf("NLST: %q", got)
	}
	without := start(t, nil)
	c = without.login(t)
	c.cmd(550, "MKD c/d")
	c.store(550, "STOR a/b/x", []byte("x"))
}

// Where a rule says under which path an upload is published, the directories that the device named are not made.
func TestMakeParentsOfRedirected(t *testing.T) {
	f := start(t, withQuirks(Quirks{MakeParents: On}))
	const text = `"/filed/${file.name}"`
	expr, diags := hclsyntax.ParseExpression([]byte(text), "path", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	rule := policy.Rule{
		Name: "filed", Reason: "test", Ops: []policy.Operation{policy.Upload, policy.List},
		Deliver: policy.Delivery{Conduit: "far", Acknowledge: policy.Delivered},
	}
	if rule.PathTemplate, diags = policy.NewLanguage(nil).CompileTemplate(expr, text); diags.HasErrors() {
		t.Fatal(diags)
	}
	p, err := policy.New([]policy.Rule{rule}) // which does not allow mkdir
	if err != nil {
		t.Fatal(err)
	}
	f.front.gateway.SetPolicy(p)
	c := f.login(t)
	c.store(226, "STOR a/b/x", []byte("x"))
	f.stored(t, "/filed/x", "x")
	if got := string(c.fetch("NLST /")); got != "" {
		t.Errorf("NLST: %q", got)
	}
}

func TestListingDOS(t *testing.T) {
	f := start(t, withQuirks(Quirks{Listing: DOS}))
	c := f.login(t)
	f.remote.Put("/relay/dir/x", nil)
	f.remote.Put("/relay/a b", []byte("0123456789"))
	c.cmd(213, "MFMT 20200102150405 a b")
	if got := string(c.fetch("LIST")); !strings.HasPrefix(got, "01-02-20  03:04PM                   10 a b\r\n") || !strings.HasSuffix(got, "M       <DIR>          dir\r\n") {
		t.Errorf("LIST: %q", got)
	}
	if got := c.cmd(215, "SYST"); got != "215 Windows_NT\r\n" {
		t.Errorf("SYST: %q", got)
	}
}

func TestSingleLine(t *testing.T) {
	f := start(t, withQuirks(Quirks{SingleLine: On}))
	c := f.login(t)
	for verb, code := range map[string]string{"FEAT": "211", "HELP": "214", "SITE HELP": "214", "STAT": "211", "STAT /": "212"} {
		c.send(verb + "\r\n")
		line, err := c.r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code+" ") || len(line) > 80 {
			t.Errorf("%s: got %q, %v", verb, line, err)
		}
	}
	c.cmd(200, "NOOP") // nothing is left over
}

func TestOtherQuirks(t *testing.T) {
	f := start(t, withQuirks(Quirks{
		Features: Off, NameCase: Lower, Backslashes: On, Superfluous: 200, StatLists: On, PassiveAddress: netip.MustParseAddr("192.0.2.7"),
	}))
	c := f.dial(t)
	c.cmd(502, "FEAT")
	c.cmd(211, "STAT")
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	c.cmd(502, "FEAT")
	c.cmd(200, "ACCT x")
	c.cmd(257, `MKD DIR`)
	c.store(226, `STOR \Dir\FILE.TXT`, []byte("x"))
	f.stored(t, "/relay/dir/file.txt", "x")
	if got := c.cmd(212, "STAT"); !strings.Contains(got, " dir\r\n") {
		t.Errorf("STAT: %q", got)
	}
	if got := c.cmd(227, "PASV"); !strings.Contains(got, "(192,0,2,7,") {
		t.Errorf("PASV: %q", got)
	}
}

// A device's own quirks go before its zone's, which hold before login and after REIN.
func TestQuirksOfDeviceAndZone(t *testing.T) {
	f := start(t, withQuirks(Quirks{Features: Off, NameCase: Upper, Superfluous: 200}))
	devices := f.front.login.Load().devices["relay"]
	devices[0].Quirks = Quirks{Features: On, NameCase: AsIs}
	f.front.Replace(devices, func() {})
	c := f.dial(t)
	c.cmd(502, "FEAT")
	c.cmd(331, "USER relay")
	c.cmd(230, "PASS "+password)
	c.cmd(211, "FEAT")
	c.cmd(200, "ACCT x")
	if got := c.cmd(257, "MKD a"); !strings.Contains(got, `"/a"`) {
		t.Errorf("MKD: %q", got)
	}
	c.cmd(220, "REIN")
	c.cmd(502, "FEAT")
}
