// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// shell is a command of a document and what it prints there.
type shell struct{ line, output string }

// commandsOf are the commands that a document shows with their output, in order.
func commandsOf(document string) (list []shell) {
	for _, block := range consoleBlock.FindAllStringSubmatch(document, -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				list = append(list, shell{line: strings.TrimSpace(command)})
				continue
			}
			list[len(list)-1].output += line
		}
	}
	return list
}

// shapeOf takes out of an output what differs from one machine and one day to another.
func shapeOf(output string) string {
	for _, r := range []struct{ what, with string }{
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ`, "TIME"},
		{`\b[0-9a-f]{12,64}\b`, "DIGEST"},
		{`\d+(\.\d+){3}:\d+`, "ADDRESS"},
		{`/\S*ftpgw\.hcl`, "ftpgw.hcl"},
		{`gateway {8}\S+, `, "gateway VERSION, "},
		{`\b(\d+h)?(\d+m)?\d+s\b`, "DURATION"},
		{`\b\d+(\.\d+)? (bytes|[KMGT]iB)\b`, "SIZE"},
		{`\b\d+\b`, "N"},
		{`N (device|rule|session|connection|limit)s?\b`, "N $1"},
		{`, checkpoint at N DURATION ago`, ""},
	} {
		output = regexp.MustCompile(r.what).ReplaceAllString(output, r.with)
	}
	return output
}

// What docs/operations.md shows is what comes out when one follows it: each of its commands is run, in order, and its output has the
// shape that the document shows.
func TestOperationsAsWritten(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, setup{})
	f := g.login(0)
	f.expect(257, "MKD /events")
	conn := f.data("STOR /events/F0001.dat")
	defer conn.Close()
	write(t, conn, make([]byte, 1<<20+1<<18))
	eventually(t, "the upload is on its way", func() bool { s := g.statusNow(); return len(s.Transfers) == 1 && s.Transfers[0].Bytes > 1<<20 })
	names := strings.NewReplacer("bay-7", "bay", "control-centre", "far")
	reloads := 0
	for _, c := range commandsOf(names.Replace(string(document))) {
		if strings.HasPrefix(c.line, "ftpgw reload") {
			if reloads++; reloads == 1 {
				g.edit(func(text string) string {
					return strings.Replace(text, `"append", `, "", 1) + "rule \"firmware\" {\n  reason = \"none\"\n  deny   = [\"append\"]\n}\n"
				})
			} else {
				g.edit(func(text string) string { return strings.Replace(text, `["append"]`, `["uplaod"]`, 1) })
			}
		}
		line := strings.Replace(c.line, "--config /etc/ftpgw", "--config '"+g.configFile()+"'", 1)
		out, err := exec.Command("sh", "-c", strings.Replace(line, "ftpgw", "'"+binary(t)+"'", 1)).CombinedOutput()
		if failed := strings.Contains(c.output, "ftpgw: "); (err != nil) != failed {
			t.Errorf("%s: %v", c.line, err)
		}
		if got, want := shapeOf(string(out)), shapeOf(c.output); got != want {
			t.Errorf("%s\nhas printed\n%s\nthe document has\n%s\nor, without what differs,\n%s\nand\n%s", c.line, out, c.output, got, want)
		}
	}
	if reloads != 2 {
		t.Errorf("the document shows %d reloads", reloads)
	}
}
