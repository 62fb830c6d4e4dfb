// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// ftpgw reload says what changed, and the digests before and after, which are on record together with who has asked.
func TestReloadSaysWhatChanged(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	before := g.statusNow().Configuration.Digest
	if out := g.succeed("reload"); !strings.Contains(out, "nothing changed") {
		t.Errorf("reload of the same configuration: %s", out)
	}
	g.edit(func(text string) string {
		return strings.Replace(text, `"append", `, "", 1) + "rule \"none\" {\n  reason = \"none\"\n  deny = [\"list\"]\n}\n"
	})
	out := g.succeed("reload")
	after := g.statusNow().Configuration.Digest
	if after == before {
		t.Error("the digest has not changed")
	}
	for _, want := range []string{`rule "all" changed`, `rule "none" added`, before, after} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	f := g.login(0)
	f.put("/new", []byte("new"))
	if conn, r := f.tryData("APPE /new"); r.code != 550 {
		t.Errorf("what the new rules do not allow: %v %v", conn, r)
	}
	var loaded []audit.Record
	requests := 0
	for _, r := range g.records() {
		switch r.Event {
		case audit.ConfigLoaded:
			loaded = append(loaded, r)
		case audit.ControlRequest:
			requests++
			if r.Detail["uid"] != "0" && os.Getuid() == 0 || r.Detail["pid"] == "" || r.Detail["request"] != "POST /v1/reload" {
				t.Errorf("on record: %v", r.Detail)
			}
		}
	}
	if len(loaded) != 3 || loaded[2].Detail["digest"] != after || loaded[2].Detail["before"] != before || loaded[2].Detail["pid"] == "" || requests != 2 {
		t.Errorf("on record: %d requests, %+v", requests, loaded)
	}
}

// Whoever writes a comment, or lines up his attributes, has changed nothing, be it in a block that only a restart can apply. The record
// has the digest of the files as they are now.
func TestReloadOfCommentsAlone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	before := g.statusNow().Configuration.Digest
	f := g.login(0)
	g.edit(func(text string) string {
		return "# reviewed\n" + strings.NewReplacer("{\n", "{ // as agreed\n\n", " = ", "  =  ").Replace(text)
	})
	out := g.succeed("reload")
	after := g.statusNow().Configuration.Digest
	if !strings.Contains(out, "nothing changed") || strings.Contains(out, "cut") || strings.Contains(out, " changed\n  ") {
		t.Errorf("reload says:\n%s", out)
	}
	if after == before || !strings.Contains(out, before) || !strings.Contains(out, after) {
		t.Errorf("digest %s, before %s; reload says:\n%s", after, before, out)
	}
	f.put("/file", []byte("by the same rules"))
	loaded := g.recordsOf(audit.ConfigLoaded)
	if len(loaded) != 2 || loaded[1].Detail["digest"] != after || loaded[1].Detail["before"] != before {
		t.Errorf("on record: %+v", loaded)
	}
}

// A configuration that is wrong is refused with all that is wrong, and on record; the old one stays in force.
func TestReloadOfAWrongConfiguration(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	before := g.statusNow().Configuration.Digest
	g.edit(func(text string) string {
		return text + "rule \"wrong\" {\n  reason = \"wrong\"\n  allow = [\"uplaod\"]\n  between = [\"25:00-26:00\"]\n  timezone = \"Nowhere\"\n  typo = 1\n}\n"
	})
	o := g.operate("reload")
	if o.status != 1 {
		t.Errorf("exit status %d", o.status)
	}
	for _, want := range []string{"uplaod", "25:00", "Nowhere", "typo", "ftpgw.hcl line", "the old configuration stays in force"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("%q is missing in:\n%s", want, o.stderr)
		}
	}
	if now := g.statusNow().Configuration.Digest; now != before {
		t.Errorf("the digest is %s, want %s", now, before)
	}
	g.login(0).put("/file", []byte("by the old rules"))
	refused := g.recordsOf(audit.ConfigRefused)
	if len(refused) != 1 || refused[0].Detail["in_force"] != before || refused[0].Detail["digest"] == "" || refused[0].Detail["digest"] == before || refused[0].Cause == "" {
		t.Errorf("on record: %+v", refused)
	}
}

// What only a restart can bring about is refused as a whole.
func TestReloadOfWhatTakesARestart(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.edit(func(text string) string { return strings.Replace(text, `root = "`, `root = "/elsewhere`, 1) })
	if o := g.operate("reload"); o.status != 1 || !strings.Contains(o.stderr, "the conduits") {
		t.Errorf("exit status %d\n%s", o.status, o.stderr)
	}
}

// So is a signing key that is another one now: the gateway goes on signing with the one that it has read.
func TestReloadOfAnotherSigningKey(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	key := filepath.Join(g.dir, "state", "checkpoint.key")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"replaced": func() error { return os.WriteFile(key, []byte("another"), 0o600) },
		"removed":  func() error { return os.Remove(key) }, // the next start would make another one
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if o := g.operate("reload"); o.status != 1 || !strings.Contains(o.stderr, "only a restart can apply it: the signing_key of the audit log ("+key+")") {
			t.Errorf("%s: exit status %d\n%s", name, o.status, o.stderr)
		}
		if err := os.WriteFile(key, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := g.succeed("reload"); !strings.Contains(out, "nothing changed") {
		t.Errorf("with the key that it has: %s", out)
	}
}

// A configuration with syntax errors still leads to the gateway, which says what is wrong.
func TestReloadOfABrokenFile(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.edit(func(text string) string { return text + "rule \"open\" {\n" })
	if o := g.operate("reload"); o.status != 1 || !strings.Contains(o.stderr, "the old configuration stays in force") {
		t.Errorf("exit status %d\n%s", o.status, o.stderr)
	}
}

// An upload that is open ends under the policy with which it began; the next one is decided by the new one.
func TestReloadLetsOpenTransfersEnd(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	conn := f.data("STOR /first")
	write(t, conn, []byte("first"))
	g.waitTemp(0)
	g.edit(func(text string) string { return strings.Replace(text, `"upload", `, "", 1) })
	g.succeed("reload")
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	if got, err := os.ReadFile(filepath.Join(g.home(0), "first")); err != nil || string(got) != "first" {
		t.Errorf("on the server: %q, %v", got, err)
	}
	if _, r := f.tryData("STOR /second"); r.code != 550 {
		t.Errorf("the next upload: %v, want 550", r)
	}
	var digests []string
	for _, r := range g.records() {
		if r.Event == audit.TransferCommitted || r.Event == audit.DecisionDenied {
			digests = append(digests, r.Policy)
		}
	}
	if len(digests) != 2 || digests[0] == digests[1] || digests[0] == "" {
		t.Errorf("decided by the policies %q", digests)
	}
}

// A device that is removed is cut off in the middle of its upload, of which nothing is published; the others go on.
func TestReloadCutsRemovedDevices(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{devices: []device{newDevice("gone"), newDevice("stays")}})
	gone, stays := g.login(0), g.login(1)
	lost, kept := gone.data("STOR /file"), stays.data("STOR /file")
	write(t, lost, []byte("lost"))
	write(t, kept, []byte("kept"))
	g.waitTemp(0)
	g.waitTemp(1)
	g.edit(func(text string) string { return withoutBlock(text, `device "gone"`) })
	if out := g.succeed("reload"); !strings.Contains(out, `device "gone" removed`) || !strings.Contains(out, "1 session ") {
		t.Errorf("reload says:\n%s", out)
	}
	gone.expectReply("STOR", gone.read(), 421)
	_ = lost.Close()
	_ = kept.Close()
	stays.expectReply("STOR", stays.read(), 226)
	eventually(t, "the temporary is removed", func() bool { return len(filesBelow(t, g.home(0))) == 0 })
	if got, err := os.ReadFile(filepath.Join(g.home(1), "file")); err != nil || string(got) != "kept" {
		t.Errorf("of the device that stays: %q, %v", got, err)
	}
	f := dial(t, g.addr)
	f.expect(331, "USER gone")
	f.expect(530, "PASS %s", g.devices[0].password)
}
