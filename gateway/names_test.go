// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Names that mean something else to somebody on the way are refused, in every spelling.
func TestBadNames(t *testing.T) {
	for kind, paths := range map[string][]string{
		"traversal":        {"/..", "/../etc/passwd", "/a/../../b", "/a/..", "/..//x"},
		"encoded":          {"/..%2f..%2fetc", "/%2e%2e/x", "/%2E%2E", "/.%2e", "/%2e.", "/a%2Fb", "/a%5cb", "/%252e%252e%252f", "/%25252fx", "/a%00b", "/%c0%ae%c0%ae", "/a%c0%afb"},
		"backslash":        {`/..\..\x`, `/a\b`},
		"overlong UTF-8":   {"/\xc0\xae\xc0\xae/x", "/a\xc0\xafb", "/a\xe0\x80\xafb"},
		"invalid UTF-8":    {"/\xff", "/a\xed\xa0\x80", "/\x80"},
		"look-alike slash": {"/a／b", "/a∕b", "/a⁄b", "/a⧸b", "/a╱b", "/℅"},
		"look-alike back":  {"/a＼b", "/a﹨b", "/a∖b", "/a⧵b"},
		"look-alike dots":  {"/․․", "/‥", "/…", "/．．", "/﹒﹒", "/a．b"},
		"control":          {"/a\x00b", "/a\rb", "/a\nb", "/a\x1b[31m", "/a\x7f", "/a\u0085b", "/a\u009bb"},
		"invisible":        {"/a\u202egpj.exe", "/a\u200bb", "/\ufeffa", "/a\u2028b", "/a\u2066b", "/a\u00adb"},
		"trailing":         {"/a.", "/a ", "/a.. ", "/d./x", "/d /x"},
		"devices":          {"/NUL", "/nul.txt", "/CON", "/d/aux.dat", "/PRN.", "/COM1", "/lpt9", "/CONIN$", "/nul .txt"},
		"streams":          {"/a::$DATA", "/a:x:$data"},
		"reserved":         {"/.ftpgw-x", "/d/.ftpgw-1/x"},
		"too long":         {"/" + strings.Repeat("x", MaxName+1), "/" + strings.Repeat("é", MaxName/2+1), "/" + strings.Repeat("x/", MaxPath/2)},
		"too deep":         {strings.Repeat("/x", MaxDepth+1)},
		"relative":         {"", "a", "../a"},
	} {
		for _, p := range paths {
			if err := CheckPath(p); !errors.Is(err, ErrBadName) {
				t.Errorf("%s: %q: %v", kind, p, err)
			}
		}
	}
	if err := CheckPath("/../x"); !errors.Is(err, ErrClimbs) {
		t.Errorf("a path above the root is not told apart: %v", err)
	}
}

// What only looks strange passes: these are names of devices' files.
func TestGoodNames(t *testing.T) {
	for _, p := range []string{
		"/", "/a", "/a.b.c", "/.hidden", "/..a", "/a..b", "/Störung 保護 ⚡", "/100%", "/50%off", "/per%20cent", "/2026-03-01T10:00:00.csv", "/COM1.CFG", "/COM10", "/CONSOLE", "/null",
		"/a=b&c|d;v=1", "/-la", "/~x", "/$x", "/می\u200cخواهم", "/👩‍🔧", "/" + strings.Repeat("x", MaxName), strings.Repeat("/x", MaxDepth),
	} {
		if err := CheckPath(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// No character at all can become a separator or a parent by normalisation.
func TestNothingNormalisesToAWay(t *testing.T) {
	for r := rune(0x80); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		name := string(r) + string(r)
		if CheckPath("/"+name) != nil {
			continue
		}
		for _, form := range []norm.Form{norm.NFKC, norm.NFKD} { // which turn into more than NFC and NFD do
			if flat := form.String(name); strings.ContainsAny(flat, `/\`) || strings.Trim(flat, ".") == "" {
				t.Fatalf("%q (%U) passes and becomes %q", name, r, flat)
			}
		}
	}
}

// What the configuration allows of a path, at its edge.
func TestConfiguredPathLimits(t *testing.T) {
	g := &Gateway{limits: Limits{PathLength: 10, PathDepth: 2}}
	for p, good := range map[string]bool{
		"/12345678/": true, "/123456789": true, "/1234567890": false, "/a/b": true, "/a/b/": true, "/a/b/c": false, "/": true,
	} {
		if err := g.checkPath(p); (err == nil) != good || err != nil && !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := (&Gateway{}).checkPath(strings.Repeat("/x", MaxDepth)); err != nil {
		t.Errorf("without limits: %v", err)
	}
}
