// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeBlock   = regexp.MustCompile("(?s)```.*?```")
	codeSpan    = regexp.MustCompile("`[^`\n]+`")
	ftpgwUse    = regexp.MustCompile(`(?m)(?:^|[\s/;|&(\x60])ftpgw[ \t]+([a-z][a-z-]*)((?:[ \t]+[a-z][a-z-]*)?)`)
	ftpgwFlag   = regexp.MustCompile(`--[a-z][a-z-]*`)
	makeUse     = regexp.MustCompile(`(?m)(?:^|[\s;|&(\x60])make[ \t]+([a-z]+)`)
	makeTargets = regexp.MustCompile(`(?m)^([a-z]+):`)
)

// code is what a document shows as code: its blocks and its spans.
func code(document string) []string {
	blocks := codeBlock.FindAllString(document, -1)
	rest := codeBlock.ReplaceAllString(document, "")
	return append(blocks, codeSpan.FindAllString(rest, -1)...)
}

// The documents name only commands, flags and make targets that exist.
func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range makeTargets.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	help := helpTexts{}
	for _, name := range repositoryFiles(t, ".md") {
		if strings.HasPrefix(name, "docs/design/") {
			continue // design notes speak of what is to come
		}
		document, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range code(string(document)) {
			for _, m := range makeUse.FindAllStringSubmatch(text, -1) {
				if !targets[m[1]] {
					t.Errorf("%s: there is no make %s", name, m[1])
				}
			}
			for line := range strings.Lines(text) {
				checkLine(t, name, line, help)
			}
		}
	}
}

// helpTexts keeps what `ftpgw COMMAND --help` says; empty for what is no command.
type helpTexts map[string]string

func (h helpTexts) of(t *testing.T, command string) string {
	t.Helper()
	if _, known := h[command]; !known {
		out, err := exec.Command(binary(t), append(strings.Fields(command), "--help")...).CombinedOutput()
		h[command] = string(out)
		if err != nil || !strings.Contains(string(out), "ftpgw "+command) {
			h[command] = ""
		}
	}
	return h[command]
}

func checkLine(t *testing.T, document, line string, help helpTexts) {
	t.Helper()
	m := ftpgwUse.FindStringSubmatchIndex(line)
	if m == nil {
		return
	}
	command := line[m[2]:m[3]]
	text := help.of(t, command)
	if text == "" {
		t.Errorf("%s: there is no command ftpgw %s", document, command)
		return
	}
	if sub := strings.TrimSpace(line[m[4]:m[5]]); sub != "" && strings.Contains(text, "Available Commands:") {
		command += " " + sub
		if text = help.of(t, command); text == "" {
			t.Errorf("%s: there is no command ftpgw %s", document, command)
			return
		}
	}
	rest, _, _ := strings.Cut(line[m[1]:], "|")
	for _, flag := range ftpgwFlag.FindAllString(rest, -1) {
		if !strings.Contains(text, flag) {
			t.Errorf("%s: ftpgw %s has no flag %s", document, command, flag)
		}
	}
}
