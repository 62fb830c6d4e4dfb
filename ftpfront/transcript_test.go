// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTranscripts plays testdata/*.txt: "> line" is sent, "< line" must come, where * stands for anything; "put NAME" puts a small
// file to the far side; # is a comment. Each file is one behaviour.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, start(t, nil), string(text))
		})
	}
}

func play(t *testing.T, f *fixture, text string) {
	c := f.dial(t)
	for i, line := range strings.Split(text, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "", "#":
		case "put":
			f.remote.Put(rest, []byte("0123456789"))
		case "login":
			c.cmd(331, "USER relay")
			c.cmd(230, "PASS "+password)
		case ">":
			c.send(rest + "\r\n")
		case "<":
			got, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatalf("line %d: want %q: %v", i+1, rest, err)
			}
			want := strings.ReplaceAll(regexp.QuoteMeta(rest), `\*`, ".*")
			if !regexp.MustCompile("^" + want + "\r\n$").MatchString(got) {
				t.Fatalf("line %d: got %q, want %q", i+1, got, rest)
			}
		case "closed":
			if b, err := c.r.ReadByte(); err == nil {
				t.Fatalf("line %d: got %q, want the connection closed", i+1, b)
			}
		default:
			t.Fatalf("line %d: %q is no instruction", i+1, line)
		}
	}
}
