// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// One session, and what the tools say of it: the life of the file, the selection of records, the report, and a proof for one record
// that is checked without the log.
func TestAuditTools(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: `
rule "events" {
  reason = "PRC-002: records leave"
  allow  = ["upload", "list"]
  paths  = ["/**"]
}
`})
	f := g.login(0)
	data := content(t, 100_000, 3)
	conn := f.data("STOR /event.dat")
	write(t, conn, data)
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	f.expect(550, "DELE /event.dat")
	f.expect(221, "QUIT")
	bad := dial(t, g.addr)
	bad.expect(331, "USER <b>relay</b>|x")
	bad.expect(530, "PASS wrong")
	bad.expect(221, "QUIT")
	g.stop()
	sum := digest(t, pattern(100_000, 3))

	out, status := auditCommand(t, "trace", "--dir", g.auditDir, sum)
	for _, want := range []string{"transfer.begin", "transfer.committed", sum, "PRC-002: records leave", "flushed (fsync)", "conduit far"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("trace by digest has no %q, status %d:\n%s", want, status, out)
		}
	}
	out, _ = auditCommand(t, "trace", "--dir", g.auditDir, "/event.dat")
	if !strings.Contains(out, "decision.denied") || !strings.Contains(out, "by default: no rule matches") || !strings.Contains(out, sum) {
		t.Errorf("trace by path:\n%s", out)
	}
	if _, status = auditCommand(t, "trace", "--dir", g.auditDir, "/other"); status != 2 {
		t.Errorf("trace of nothing: status %d", status)
	}

	out, _ = auditCommand(t, "show", "--dir", g.auditDir, "--event", "transfer.*", "--json")
	if n := strings.Count(out, "\n"); n != 2 || !strings.HasPrefix(out, `{"time":"`) {
		t.Errorf("show has %d lines:\n%s", n, out)
	}
	out, _ = auditCommand(t, "show", "--dir", g.auditDir, "--device", "relay", "--event", "command")
	if !strings.Contains(out, "STOR /event.dat -> 226") || strings.Contains(out, "login") {
		t.Errorf("show:\n%s", out)
	}

	out, _ = auditCommand(t, "show", "--dir", g.auditDir, "--event", "decision.denied")
	if !strings.Contains(out, "delete /event.dat reason: no rule matches") {
		t.Errorf("a denial is shown without its reason:\n%s", out)
	}
	if out, status = auditCommand(t, "show", "--dir", g.auditDir, "--event", "desicion.denied"); status != 0 || !strings.Contains(out, `no event "desicion.denied". Did you mean "decision.denied"?`) {
		t.Errorf("show of an event that is misspelt: status %d:\n%s", status, out)
	}
	if out, status = auditCommand(t, "show", "--dir", g.auditDir, "--event", "decision*", "--device", "nobody"); status != 0 || !strings.Contains(out, "no record") {
		t.Errorf("show of nothing: status %d:\n%s", status, out)
	}
	if out, _ = auditCommand(t, "show", "--dir", g.auditDir, "--event", "decision*"); !strings.Contains(out, "decision.denied") {
		t.Errorf("events that begin like this:\n%s", out)
	}
	if out, status = auditCommand(t, "show", "--dir", g.auditDir, "--path", "/event["); status != 1 || !strings.Contains(out, "syntax error in pattern") {
		t.Errorf("a pattern that is none: status %d:\n%s", status, out)
	}

	for _, format := range []string{"markdown", "html", "csv"} {
		out, status = auditCommand(t, "report", "--dir", g.auditDir, "--format", format)
		for _, want := range []string{"relay", "100000", "delete /event.dat", "no such user"} {
			if status != 0 || !strings.Contains(strings.ReplaceAll(out, `\_`, "_"), want) {
				t.Errorf("the report as %s has no %q, status %d:\n%s", format, want, status, out)
			}
		}
		if strings.Contains(out, "<b>") && format != "csv" {
			t.Errorf("the report as %s has the markup of a user name", format)
		}
	}
	in := csv.NewReader(strings.NewReader(out))
	in.FieldsPerRecord = -1
	if rows, err := in.ReadAll(); err != nil || len(rows) < 6 {
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
	if out, _ = auditCommand(t, "report", "--dir", g.auditDir, "--to", "2020-01-01"); !strings.Contains(out, "0 records") {
		t.Errorf("a report of a time without records:\n%s", out)
	}
	proveCommitted(t, g, sum)
}

func proveCommitted(t *testing.T, g *gw, sum string) {
	t.Helper()
	committed := g.recordsOf(audit.TransferCommitted)[0]
	proof, status := auditCommand(t, "prove", "--dir", g.auditDir, "--seq", strconv.FormatUint(committed.Seq, 10))
	if status != 0 {
		t.Fatal(proof)
	}
	dir := t.TempDir() // all that the other side has
	file, key := filepath.Join(dir, "proof"), filepath.Join(dir, "key")
	public, err := os.ReadFile(filepath.Join(g.auditDir, "checkpoint.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: proof, key: string(public), file + ".bad": strings.Replace(proof, "index ", "index 1", 1)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, status := auditCommand(t, "check-proof", "--key", key, file)
	if status != 0 || !strings.Contains(out, sum) {
		t.Errorf("status %d:\n%s", status, out)
	}
	if out, status = auditCommand(t, "check-proof", "--key", key, file+".bad"); status != 2 || !strings.Contains(out, "NOTHING") {
		t.Errorf("a wrong proof: status %d:\n%s", status, out)
	}
}
