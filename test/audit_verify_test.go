// SPDX-License-Identifier: Apache-2.0

package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// auditCommand runs "ftpgw audit ..." and returns what it says and its exit status.
func auditCommand(t testing.TB, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(binary(t), append([]string{"audit"}, args...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// The log of a session verifies on a copy, without the gateway and its configuration; one changed digit is found and named.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.expect(257, "MKD /sub")
	f.expect(221, "QUIT")
	g.stop()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(g.auditDir)); err != nil {
		t.Fatal(err)
	}
	key, checkpoint := filepath.Join(dir, "checkpoint.pub"), filepath.Join(dir, "checkpoint")
	out, status := auditCommand(t, "verify", "--dir", dir, "--key", key, "--checkpoint", checkpoint)
	if status != 0 || !strings.Contains(out, "is intact: records 1 to ") || !strings.Contains(out, "since the checkpoint given") || strings.Contains(out, "missing") {
		t.Errorf("status %d:\n%s", status, out)
	}
	if out, status = auditCommand(t, "verify", "--dir", t.TempDir()); status != 1 || !strings.Contains(out, "no audit log") {
		t.Errorf("a directory without a log: status %d:\n%s", status, out)
	}
	// A file that was named by mistake is no evidence, neither for the log nor against it.
	for name, text := range map[string]string{"empty": "", "other": "PRC-002\n"} {
		wrong := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, flags := range [][]string{{"--key", wrong}, {"--key", key, "--checkpoint", wrong}} {
			out, status := auditCommand(t, append([]string{"verify", "--dir", dir}, flags...)...)
			if status != 1 || strings.Contains(out, "intact") || !strings.Contains(out, "in "+wrong) {
				t.Errorf("%s: status %d:\n%s", flags, status, out)
			}
		}
	}
	text, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(checkpoint); err != nil {
		t.Fatal(err)
	}
	if out, status = auditCommand(t, "verify", "--dir", dir); status != 0 || !strings.Contains(out, "missing      the file checkpoint") {
		t.Errorf("without the file checkpoint: status %d:\n%s", status, out)
	}
	if err := os.WriteFile(checkpoint, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "audit-00000001.jsonl")
	text, err = os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"code":257`, `"code":550`, 1)
	if changed == string(text) {
		t.Fatal("there is no reply 257 on record")
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status = auditCommand(t, "verify", "--dir", dir)
	line := 1 + strings.Count(changed[:strings.Index(changed, `"code":550`)], "\n")
	// The record that follows is the first that cannot be: it has the hash of what stood there.
	if status != 2 || !strings.Contains(out, "NOT intact") || !strings.Contains(out, "audit-00000001.jsonl:"+strconv.Itoa(line+1)) {
		t.Errorf("status %d, line %d:\n%s", status, line, out)
	}
	last := g.records()[len(g.records())-1]
	if last.Event != audit.LogCheckpoint {
		t.Errorf("the last record is %s, want the checkpoint", last.Event)
	}
}
