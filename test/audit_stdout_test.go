// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// A sink of type stdout writes every record as it stands in the log, the last one included, beside the operator log on stderr.
func TestAuditOnStdout(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{audit: `sink "out" { type = "stdout" }`})
	f := g.login(0)
	f.put("/event.dat", []byte("data"))
	f.expect(221, "QUIT")
	g.stop()
	shown := g.log.String()
	segment, err := os.Open(g.auditDir + "/audit-00000001.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer segment.Close()
	n := 0
	for lines := bufio.NewScanner(segment); lines.Scan(); n++ {
		if !strings.Contains(shown, lines.Text()+"\n") {
			t.Errorf("not on stdout: %s", lines.Text())
		}
	}
	if n < 10 {
		t.Errorf("the log has only %d records", n)
	}
}
