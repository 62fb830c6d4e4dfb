// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
	"github.com/ftpgw/ftpgw/spool"
)

func (g *gw) spoolEntries() (list []spool.Entry) {
	g.t.Helper()
	for d := json.NewDecoder(strings.NewReader(g.succeed("spool", "list", "--json"))); d.More(); {
		var e spool.Entry
		if err := d.Decode(&e); err != nil {
			g.t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// A file that cannot be delivered is set aside with an alarm; an operator sees why, takes a copy, removes the cause and has it tried
// again. Others are held, released and discarded. All of it is on record with who has done it.
func TestSpoolCommands(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	g := startGateway(t, setup{server: s, spool: plainSpool, rules: spoolAll("")})
	f := g.login(0)
	// A file in the place of a directory: what is to lie below it cannot be delivered.
	f.put("/first", []byte("first"))
	eventually(t, "delivery", func() bool { return len(filesBelow(t, g.home(0))) == 1 })
	obstacle := filepath.Join(g.home(0), "reports")
	if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.put("/reports/a.csv", []byte("one"))
	g.waitLog("ALARM: a file cannot be delivered and was set aside")

	list := g.spoolEntries()
	if len(list) != 1 || list[0].State != spool.Aside || list[0].Path != "/reports/a.csv" || list[0].LastError == "" {
		t.Fatalf("listed: %+v", list)
	}
	id := list[0].ID
	if out := g.succeed("spool", "list", "--state", "aside"); !strings.HasPrefix(out, id) || !strings.Contains(out, "/relay/reports/a.csv") {
		t.Errorf("list: %s", out)
	}
	if out := g.succeed("spool", "list", "--state", "held"); out != "" {
		t.Errorf("list of held ones: %s", out)
	}
	if out := g.succeed("spool", "show", id); !strings.Contains(out, "not a directory") || !strings.Contains(out, list[0].SHA256) {
		t.Errorf("show: %s", out)
	}
	if out := g.succeed("status"); !strings.Contains(out, "1 aside") {
		t.Errorf("status: %s", out)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	g.succeed("spool", "export", id, "--to", copied)
	if got, err := os.ReadFile(copied); err != nil || string(got) != "one" {
		t.Errorf("exported: %q, %v", got, err)
	}
	if o := g.operate("spool", "export", id, "--to", copied); o.status != 1 || !strings.Contains(o.stderr, "already") {
		t.Errorf("export over a file: %d %s", o.status, o.stderr)
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	g.succeed("spool", "retry", "--all")
	eventually(t, "delivery", func() bool { _, err := os.Stat(filepath.Join(obstacle, "a.csv")); return err == nil })

	s.Kill()
	f.put("/b", []byte("two"))
	f.put("/c", []byte("three"))
	list = g.spoolEntries()
	if len(list) != 2 {
		t.Fatalf("listed: %+v", list)
	}
	g.succeed("spool", "hold", list[0].ID)
	if o := g.operate("spool", "discard", list[1].ID); o.status != 1 || !strings.Contains(o.stderr, "--reason is required") {
		t.Errorf("discard without a reason: %d %s", o.status, o.stderr)
	}
	g.succeed("spool", "discard", list[1].ID, "--reason", "sent by mail")
	if o := g.operate("spool", "hold", list[1].ID); o.status != 1 || !strings.Contains(o.stderr, "there is no entry \""+list[1].ID+"\" in the spool\n") {
		t.Errorf("hold of what is gone: %d %s", o.status, o.stderr)
	}
	if o := g.operate("spool", "release", list[1].ID); o.status != 1 || !strings.Contains(o.stderr, "no entry") {
		t.Errorf("release of what is gone: %d %s", o.status, o.stderr)
	}
	s.Restart()
	f.put("/d", []byte("four")) // goes past what is held
	eventually(t, "delivery", func() bool { _, err := os.Stat(filepath.Join(g.home(0), "d")); return err == nil })
	if _, err := os.Stat(filepath.Join(g.home(0), "b")); err == nil {
		t.Error("what is held was delivered")
	}
	out, err := exec.Command(binary(t), "spool", "list", "--dir", filepath.Join(g.dir, "spool")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), " held ") {
		t.Errorf("list of the directory: %v %s", err, out)
	}
	g.succeed("spool", "release", list[0].ID)
	eventually(t, "delivery", func() bool { _, err := os.Stat(filepath.Join(g.home(0), "b")); return err == nil })

	count := map[audit.Event]int{}
	for _, r := range g.records() {
		count[r.Event]++
		if r.Event == audit.SpoolDiscarded && (!strings.Contains(r.Cause, "uid 0") || !strings.Contains(r.Cause, "sent by mail")) {
			t.Errorf("on record: %q", r.Cause)
		}
	}
	for event, want := range map[audit.Event]int{
		audit.SpoolAside: 1, audit.SpoolExported: 1, audit.SpoolHeld: 1, audit.SpoolReleased: 2, audit.SpoolDiscarded: 1, audit.SpoolDelivered: 4,
	} {
		if count[event] != want {
			t.Errorf("%s is on record %d times, want %d", event, count[event], want)
		}
	}
}
