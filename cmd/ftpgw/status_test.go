// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A line of the status fits on a terminal, and loses nothing by that: the cause of an error stands at its end.
func TestStatusLinesAreFoldedAndNotCut(t *testing.T) {
	for _, line := range []string{
		entry("island", "off"),
		entry("", "FAILED: the audit log cannot be written: write the audit log: write /var/lib/ftpgw/audit/audit-00000001.jsonl: no space left on device"),
		entry("", "last error: SSH handshake as user %q with key SHA256:%s: ssh: unable to authenticate", "station-12", strings.Repeat("ä", 43)),
		entry("", "%s", strings.Repeat("x", 3*lineWidth)),
	} {
		folded := fold(line)
		for i, part := range folded {
			if utf8.RuneCountInString(part) > lineWidth {
				t.Errorf("%q is longer than a line", part)
			}
			if i > 0 && !strings.HasPrefix(part, strings.Repeat(" ", indent)) {
				t.Errorf("%q does not stand under the words before it", part)
			}
		}
		letters := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got := letters(strings.Join(folded, "")); got != letters(line) {
			t.Errorf("of\n%s\ncame\n%s", line, strings.Join(folded, "\n"))
		}
	}
	if got := fold("short"); !slices.Equal(got, []string{"short"}) {
		t.Errorf("a short line became %q", got)
	}
}
