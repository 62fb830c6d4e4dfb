// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/internal/credential"
)

func TestHashPasswordOnTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		typed  []string
		err    error
		status int
		want   string // in stderr
	}{
		"twice the same": {typed: []string{"hunter2", "hunter2"}},
		"different":      {typed: []string{"hunter2", "hunter3"}, status: 1, want: "the two passwords differ"},
		"empty":          {typed: []string{"", ""}, status: 1, want: "the password is empty"},
		"too long":       {typed: []string{strings.Repeat("x", 73), strings.Repeat("x", 73)}, status: 1, want: "longer than 72 bytes"},
		"interrupted":    {typed: []string{"hunter2"}, err: io.ErrUnexpectedEOF, status: 1, want: "read the password: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			var prompts []string
			env := environment{stdin: strings.NewReader("not from here"), stdout: &out, stderr: &errs}
			env.readPassword = func(prompt string) ([]byte, error) {
				prompts = append(prompts, prompt)
				if len(prompts) > len(test.typed) {
					return nil, test.err
				}
				return []byte(test.typed[len(prompts)-1]), nil
			}
			status := run(context.Background(), env, []string{"hash-password", "--cost", "4"})
			if status != test.status || !strings.Contains(errs.String(), test.want) {
				t.Errorf("status %d, stderr %q, want %d with %q", status, errs.String(), test.status, test.want)
			}
			if len(prompts) != 2 {
				t.Errorf("%d prompts, want 2: %q", len(prompts), prompts)
			}
			if status == 0 && !credential.Verify(strings.TrimSpace(out.String()), []byte(test.typed[0])) {
				t.Errorf("the hash %q is not that of the password", out.String())
			}
			if status != 0 && out.Len() > 0 {
				t.Errorf("stdout %q with an error", out.String())
			}
		})
	}
}

func TestHashPasswordFromStdin(t *testing.T) {
	for _, stdin := range []string{"pass word", "pass word\n", "pass word\r\n"} {
		status, stdout, stderr := execute(t, stdin, "hash-password", "--cost", "4")
		if status != 0 || !credential.Verify(strings.TrimSpace(stdout), []byte("pass word")) {
			t.Errorf("%q: status %d, stdout %q, stderr %q", stdin, status, stdout, stderr)
		}
	}
	for stdin, want := range map[string]string{
		"":                           "the password is empty",
		"\n":                         "the password is empty",
		"one\ntwo\n":                 "more than one line",
		strings.Repeat("x", 73):      "longer than 72 bytes",
		strings.Repeat("x", 100_000): "longer than 72 bytes",
		"a\x00b":                     "FTP cannot carry",
	} {
		status, stdout, stderr := execute(t, stdin, "hash-password", "--cost", "4")
		if status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%.20q: status %d, stdout %q, stderr %q, want %q", stdin, status, stdout, stderr, want)
		}
	}
	if status, _, stderr := execute(t, "x", "hash-password", "--cost", "31"); status != 1 || !strings.Contains(stderr, "outside 4 to 14") {
		t.Errorf("cost 31: status %d, stderr %q", status, stderr)
	}
}

func TestHashPasswordArgon2id(t *testing.T) {
	long := strings.Repeat("long", 40)
	status, stdout, stderr := execute(t, long, "hash-password", "--argon2id", "--memory", "8192", "--time", "1")
	if hash := strings.TrimSpace(stdout); status != 0 || !strings.HasPrefix(hash, "$argon2id$v=19$m=8192,t=1,p=1$") || !credential.Verify(hash, []byte(long)) {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	for want, args := range map[string][]string{
		"outside 8192":                    {"--argon2id", "--memory", "1"},
		"outside 1 to":                    {"--argon2id", "--time", "0"},
		"no effect with --argon2id":       {"--argon2id", "--cost", "4"},
		"--time has no effect without":    {"--time", "1"},
		"--memory has no effect without ": {"--memory", "8192"},
	} {
		status, stdout, stderr := execute(t, "x", append([]string{"hash-password"}, args...)...)
		if status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q, want %q", args, status, stdout, stderr, want)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// A command whose output is lost has not done what it was asked.
func TestLostOutputIsAnError(t *testing.T) {
	example := stageExample(t, "substation.hcl")
	for _, args := range [][]string{
		{"version"}, {"hash-password", "--cost", "4"}, {"check", "--config", example},
		{"explain", "--config", example, "--device", "relay-12", "--op", "list", "--path", "/"},
		{"explain", "--config", example, "--device", "relay-12", "--op", "list", "--path", "/", "--json"},
	} {
		var errs bytes.Buffer
		env := environment{stdin: strings.NewReader("x"), stdout: brokenWriter{}, stderr: &errs, getenv: func(string) string { return "" }}
		env.now = testTime
		if status := run(context.Background(), env, args); status != 1 || !strings.Contains(errs.String(), "broken pipe") {
			t.Errorf("%q: status %d, stderr %q", args, status, errs.String())
		}
	}
}
