// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Every command of a session with lftp, and the code of its final reply, is in the audit log, in order: what lftp says about itself
// is the same as what we have on record.
func TestLftpSessionInAudit(t *testing.T) {
	t.Parallel()
	need(t, "lftp")
	g := startGateway(t, setup{})
	e := errandFor(t, g, 0, "event.dat", 100_000)
	trace := filepath.Join(t.TempDir(), "trace")
	commands := strings.Join([]string{
		"debug -o " + trace + " 9", "set ftp:ssl-allow no", "set net:max-retries 1", "set ftp:sync-mode on",
		"open -u " + e.user + "," + e.password + " -p " + e.port + " " + e.host,
		"mkdir sub", "cd sub", "put " + e.local + " -o " + e.remote, "cls -l", "mv " + e.remote + " other.dat",
		"get other.dat -o " + e.back, "rm other.dat", "cd ..", "rmdir sub", "cat missing", "bye",
	}, "; ")
	out, _ := runScript(t, script{args: []string{"lftp", "-c", commands}}) // "cat missing" makes it exit with 1
	verbs, codes := readTrace(t, trace)
	if len(verbs) < 12 || !slices.Contains(verbs, "STOR") || !slices.Contains(verbs, "RNTO") {
		t.Fatalf("lftp's trace has only %q\n%s", verbs, out)
	}
	var gotVerbs []string
	var gotCodes []int
	for _, r := range g.recordsOf(audit.Command) {
		gotVerbs = append(gotVerbs, r.Verb)
		gotCodes = append(gotCodes, r.Code)
		if r.Text == "" || r.Session == "" || r.Peer == "" || r.Duration < 0 {
			t.Errorf("the record of %s lacks something: %+v %+v", r.Verb, r, r.CommandFields)
		}
	}
	if !slices.Equal(gotVerbs, verbs) {
		t.Errorf("verbs:\n got %q\nwant %q", gotVerbs, verbs)
	}
	if !slices.Equal(gotCodes, codes) {
		t.Errorf("codes:\n got %v\nwant %v", gotCodes, codes)
	}
}

var (
	traceCommand = regexp.MustCompile(`(?m)^(?:\S+ )*---> ([A-Z]+)`)
	traceReply   = regexp.MustCompile(`^<--- ([2-5][0-9][0-9]) `)
)

// readTrace reads lftp's debug output: "---> VERB args" for what it sent, "<--- code text" for what it got.
func readTrace(t *testing.T, file string) (verbs []string, codes []int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if m := traceCommand.FindStringSubmatch(line); m != nil {
			verbs = append(verbs, m[1])
		}
		if m := traceReply.FindStringSubmatch(line); m != nil {
			code, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
	}
	if len(codes) > 0 && codes[0] == 220 {
		codes = codes[1:] // the greeting answers no command
	}
	return verbs, codes
}
