// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"strings"
	"sync"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

func TestDigests(t *testing.T) {
	f := start(t, withQuirks(Quirks{ASCII: Convert}))
	f.remote.Put("/relay/a b", []byte("123456789"))
	f.remote.Put("/relay/dir/x", nil)
	f.remote.Put("/relay/secret/x", nil)
	c := f.login(t)
	const sha = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
	const md5 = "25f9e794323b453885f5181f1b624d0b"
	for _, step := range []struct {
		command string
		want    string
	}{
		{"HASH a b", "213 SHA-256 0-9 " + sha + " a b"},
		{"OPTS HASH", "200 SHA-256"},
		{"OPTS HASH md5", "200 MD5"},
		{"HASH a b", "213 MD5 0-9 " + md5 + " a b"},
		{"OPTS HASH SHA-1", "501 Unknown algorithm."},
		{"XSHA256 a b", "250 " + strings.ToUpper(sha)},
		{"XMD5 a b", "250 " + strings.ToUpper(md5)},
		{"XCRC a b", "250 CBF43926"},
		{`XCRC "a b"`, "250 CBF43926"},
		{`XCRC "a b" 0 4`, "504 Only digests of whole files are offered."},
		{`XCRC "a b`, "504 Only digests of whole files are offered."},
		{"HASH none", "550 No such file or directory."},
		{"HASH dir", "550 Not a plain file."},
		{"HASH /secret/x", "550 Permission denied."},
		{"HASH", "501 Argument missing."},
		{"TYPE A", "200 Type set to A."},
		{"HASH a b", "550 Digests need TYPE I and STRU F."},
	} {
		c.send(step.command + "\r\n")
		if got, err := c.r.ReadString('\n'); err != nil || got != step.want+"\r\n" {
			t.Errorf("%s: got %q, %v, want %q", step.command, got, err, step.want)
		}
	}
	for _, r := range f.log.of(audit.DecisionDenied) {
		if r.Op != "list" {
			t.Errorf("a digest was decided as %q", r.Op)
		}
	}
}

// block makes the far side stop in the reading of a file until release is called.
func (f *fixture) block(t *testing.T) (reading chan struct{}, release func()) {
	t.Helper()
	var once sync.Once
	reading, gate := make(chan struct{}, 1000), make(chan struct{})
	f.remote.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Read {
			reading <- struct{}{}
			<-gate
		}
		return nil
	}
	release = func() { once.Do(func() { close(gate) }) }
	t.Cleanup(release)
	return reading, release
}

func TestDigestIsInterrupted(t *testing.T) {
	f := start(t, nil)
	f.remote.Put("/relay/x", make([]byte, 1<<20))
	c := f.login(t)
	reading, release := f.block(t)
	c.send("XCRC x\r\n")
	<-reading
	if got := c.cmd(211, "STAT"); !strings.Contains(got, "Transfer is running") {
		t.Errorf("STAT: %q", got)
	}
	c.send("ABOR\r\n")
	c.cmd(211, "STAT") // behind the ABOR
	release()
	c.expect(426)
	c.expect(226)
	c.cmd(250, "XCRC x")
}

func TestTooManyDigests(t *testing.T) {
	f := start(t, nil)
	f.remote.Put("/relay/x", []byte("x"))
	var busy []*client
	reading, release := f.block(t)
	for range maxDigests {
		c := f.login(t)
		c.send("XCRC x\r\n")
		<-reading
		busy = append(busy, c)
	}
	c := f.login(t)
	c.cmd(450, "XCRC x")
	release()
	for _, b := range busy {
		b.expect(250)
	}
	c.cmd(250, "XCRC x")
}

// Old devices have buffers for one line of a terminal: what is not a path from the far side fits there.
func TestRepliesAreShort(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for verb, code := range map[string]int{"HELP": 214, "FEAT": 211, "STAT": 211, "SITE HELP": 214, "HELP SITE": 214} {
		for line := range strings.SplitSeq(c.cmd(code, verb), "\r\n") {
			if len(line) > 80 {
				t.Errorf("%s: a line of %d bytes: %q", verb, len(line), line)
			}
		}
	}
	for verb := range f.front.commands {
		if got := c.cmd(214, "HELP "+verb); len(got) > 80 {
			t.Errorf("HELP %s: %q", verb, got)
		}
	}
}

// Every command that takes an argument has a syntax, and no other has.
func TestSyntaxTable(t *testing.T) {
	syntax := syntaxTable()
	for verb, cmd := range commandTable() {
		if has := syntax[verb] != ""; has != (cmd.arg != noArgument) {
			t.Errorf("%s: syntax %q, but its argument is of kind %d", verb, syntax[verb], cmd.arg)
		}
		delete(syntax, verb)
	}
	for verb := range syntax {
		t.Errorf("%s has a syntax, but is no command", verb)
	}
}
