// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// exchanged is a command with its replies, as lftp has it and as the log has it.
type exchanged struct {
	verb, args  string
	preliminary []string
	code        int
	text        string
}

func (e exchanged) String() string {
	return fmt.Sprintf("%s %q %q -> %d %q", e.verb, e.args, e.preliminary, e.code, e.text)
}

// Every command of a session with lftp is in the audit log, in order: what lftp says about itself is, verb, argument, code and text
// of every reply, what is on record; only the password is not.
func TestLftpSessionInAudit(t *testing.T) {
	t.Parallel()
	need(t, "lftp")
	p := newPKI(t)
	for name, test := range map[string]struct{ zone, settings string }{
		"clear": {"", "set ftp:ssl-allow no"},
		"TLS":   {p.zone(), "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:ca-file " + p.ca},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{zone: test.zone})
			want := lftpSession(t, g, test.settings)
			var got []exchanged
			for _, r := range g.recordsOf(audit.Command) {
				got = append(got, exchanged{r.Verb, r.Args, r.Preliminary, r.Code, r.Text})
				if r.Session == "" || r.Peer == "" || r.Zone == "" || r.Duration < 0 {
					t.Errorf("the record of %s lacks something: %+v %+v", r.Verb, r, r.CommandFields)
				}
			}
			for i := range max(len(got), len(want)) {
				var g, w string
				if i < len(got) {
					g = got[i].String()
				}
				if i < len(want) {
					w = want[i].String()
				}
				if g != w {
					t.Errorf("command %d:\n on record %s\n in lftp   %s", i, g, w)
				}
			}
			if (name == "TLS") != (len(got) > 1 && got[1].verb == "AUTH") {
				t.Errorf("the session begins with %v", got[:2])
			}
		})
	}
}

// lftpSession has lftp do a bit of everything, and returns what it has noted of that.
func lftpSession(t *testing.T, g *gw, settings string) []exchanged {
	t.Helper()
	e := errandFor(t, g, 0, "event é.dat", 100_000)
	trace := filepath.Join(t.TempDir(), "trace")
	commands := strings.Join([]string{
		"debug -o " + trace + " 9", settings, "set net:max-retries 1", "set ftp:sync-mode on", "set ftp:use-site-utime no",
		"open -u " + e.user + "," + e.password + " -p " + e.port + " " + e.host,
		"mkdir sub", "cd sub", "put " + e.local + " -o '" + e.remote + "'", "cls -l", "mv '" + e.remote + "' other.dat",
		"get other.dat -o " + e.back, "chmod 600 other.dat", "rm other.dat", "cd ..", "rmdir sub", "cat missing", "bye",
	}, "; ")
	out, _ := runScript(t, script{args: []string{"lftp", "-c", commands}}) // "cat missing" makes it exit with 1
	list := readTrace(t, trace)
	var verbs []string
	for i := range list {
		verbs = append(verbs, list[i].verb)
		if list[i].verb == "PASS" {
			if list[i].args != e.password {
				t.Errorf("lftp has sent the password %q", list[i].args)
			}
			list[i].args = "****"
		}
	}
	for _, verb := range []string{"FEAT", "PASS", "MKD", "STOR", "MLSD", "RNTO", "RETR", "SITE", "DELE", "RMD", "QUIT"} {
		if !strings.Contains(" "+strings.Join(verbs, " ")+" ", " "+verb+" ") {
			t.Errorf("lftp has sent no %s, only %q\n%s", verb, verbs, out)
		}
	}
	return list
}

// replyLine is the first line of a reply, or the last: code, blank or hyphen, text (RFC 959, 4.2).
var replyLine = regexp.MustCompile(`^([1-5][0-9][0-9])([ -])(.*)$`)

// readTrace reads lftp's debug output: "---> VERB args" for what it sent, "<--- line" for what it got. What a server says without being
// asked, the greeting, is no exchange.
func readTrace(t *testing.T, file string) (list []exchanged) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string // of a reply that has not come to its end
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if sent, ok := strings.CutPrefix(line, "---> "); ok {
			verb, args, _ := strings.Cut(sent, " ")
			list = append(list, exchanged{verb: verb, args: args})
			continue
		}
		got, ok := strings.CutPrefix(line, "<--- ")
		if !ok || len(list) == 0 {
			continue
		}
		m := replyLine.FindStringSubmatch(got)
		switch {
		case m == nil:
			lines = append(lines, strings.TrimPrefix(got, " "))
			continue
		case m[2] == "-":
			lines = append(lines, m[3])
			continue
		}
		lines = append(lines, m[3])
		last := &list[len(list)-1]
		if m[1][0] == '1' {
			last.preliminary = append(last.preliminary, m[1]+" "+strings.Join(lines, "\n"))
		} else if last.code, err = strconv.Atoi(m[1]); err != nil {
			t.Fatal(err)
		} else {
			last.text = strings.Join(lines, "\n")
		}
		lines = nil
	}
	return list
}
