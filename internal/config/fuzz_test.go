// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad holds that no bytes make the decoder panic, and that it either returns a whole configuration or says what is wrong.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"", "\x00", "\xef\xbb\xbf", "zone \"a\" { listen = \"${1/0}\" }", "zone \"a\" { listen = <<X\n1\nX\n}", "rule \"r\" { allow = [for x in [1]: x] }",
		"audit { dir = { a = 1 } }", "rule \"r\" { max_size = 1e400 }", "rule \"r\" { paths = [\"${null}\", null, true] }", "deliver {}", "x = -",
		"device \"d\" { password = \"", "rule \"r\" { deliver { deliver {} } }",
	} {
		f.Add([]byte(text))
	}
	accept := func(string) error { return nil }
	checks := Checks{Identity: accept, HostKey: accept, KnownHosts: func(string, string) error { return nil },
		Certificate: func(string, string) error { return nil }, ClientCA: accept,
		AgeRecipient: accept, AgeIdentity: func(string, string) error { return nil }}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("fuzz.hcl", dir, []source{{name: "fuzz.hcl", text: text}}, checks)
		var de *DiagnosticsError
		switch {
		case err == nil && (c.Policy == nil || len(c.Zones) == 0 || len(c.Conduits) == 0 || c.Audit.Dir == ""):
			t.Errorf("accepted without being whole: %+v", c)
		case err == nil:
		case !errors.As(err, &de) || de.Count() == 0:
			t.Errorf("error without diagnostics: %v", err)
		default:
			if err := de.WriteText(io.Discard, 80, true); err != nil {
				t.Errorf("write the diagnostics: %v", err)
			}
		}
	})
}

// A parser that calls itself must not be made to use up the stack.
func TestDeepNestingIsRefused(t *testing.T) {
	const n = 20_000
	accept := func(string) error { return nil }
	checks := Checks{Identity: accept, HostKey: accept, KnownHosts: func(string, string) error { return nil },
		Certificate: func(string, string) error { return nil }, ClientCA: accept,
		AgeRecipient: accept, AgeIdentity: func(string, string) error { return nil }}
	for name, text := range map[string]string{
		"brackets":   "x = " + strings.Repeat("[", n),
		"signs":      "x = (" + strings.Repeat("-\n", n) + "1)",
		"sum":        "x = 1" + strings.Repeat("+1", n),
		"index":      "x = [1]" + strings.Repeat("[0]", n),
		"condition":  "x = " + strings.Repeat("true?1:", n) + "1",
		"templates":  "x = " + strings.Repeat(`"${`, n),
		"directives": `x = "` + strings.Repeat(`%{if true}`, n),
		"blocks":     strings.Repeat("a {\n", n),
	} {
		if _, err := parse("deep.hcl", t.TempDir(), []source{{name: "deep.hcl", text: []byte(text)}}, checks); err == nil || !strings.Contains(err.Error(), "Too complicated") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
