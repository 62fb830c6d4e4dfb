// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// checkLookalike refuses a name that is another one to somebody: to a server that runs on Windows, to a program that decodes or
// normalises names, or to the person who reads a listing or a log.
func checkLookalike(name string) error {
	upper := strings.ToUpper(name)
	switch {
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "): // Windows drops them: the name is then that of another file
		return fmt.Errorf("name %q ends in a dot or a space: %w", name, ErrBadName)
	case isDevice(upper):
		return fmt.Errorf("name %q is a device of Windows: %w", name, ErrBadName)
	case isStream(upper):
		return fmt.Errorf("name %q is a stream of an NTFS file: %w", name, ErrBadName)
	case isEncoded(name):
		return fmt.Errorf("name %q holds an encoded separator: %w", name, ErrBadName)
	case strings.ContainsFunc(name, isInvisible):
		return fmt.Errorf("name %q holds an invisible character: %w", name, ErrBadName)
	case looksLikeWay(name):
		return fmt.Errorf("name %q looks like a way through directories: %w", name, ErrBadName)
	}
	return nil
}

// isDevice reports whether Windows would open a device under this name, which is in upper case: what is written there is gone. NUL and
// its like are one with any ending, the numbered ports only without: COM1.CFG is what relays call the settings of a port.
func isDevice(name string) bool {
	stem, _, ended := strings.Cut(name, ".")
	switch stem = strings.TrimRight(stem, " "); stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, isPort := strings.CutPrefix(stem, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(stem, "LPT")
	}
	return isPort && !ended && len(port) == 1 && port >= "1" && port <= "9"
}

// isStream reports whether the name, which is in upper case, is of the form that NTFS has for the main stream of a file: another name
// for the file itself.
func isStream(name string) bool {
	return strings.HasSuffix(name, ":$DATA") || strings.HasSuffix(name, ":$INDEX_ALLOCATION")
}

// isEncoded reports whether a name holds a separator, a NUL or a parent in percent encoding, once or twice, or in an overlong form. No
// part of this gateway decodes names; what lies behind the server may.
func isEncoded(name string) bool {
	if !strings.Contains(name, "%") {
		return false
	}
	lower := strings.ToLower(name)
	for strings.Contains(lower, "%25") {
		lower = strings.ReplaceAll(lower, "%25", "%")
	}
	return slices.ContainsFunc([]string{"%2f", "%5c", "%00", "%2e%2e", "%2e.", ".%2e", "%c0%ae", "%c0%af", "%c1%9c", "%u2215", "%u2216"},
		func(code string) bool { return strings.Contains(lower, code) })
}

// isInvisible finds what a reader does not see, or what changes the order in which the reader sees the rest: the direction marks, the
// line separators, spaces without width. The joiners stay, since scripts and emoji need them.
func isInvisible(r rune) bool {
	switch {
	case r < 0x80, r == '\u200c', r == '\u200d':
		return false
	case r == '\u00ad': // soft hyphen
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !isTag(r)
}

// isTag finds the tags of which flags are made.
func isTag(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }

// looksLikeWay finds characters that stand for slashes, backslashes and dots: those that compatibility normalisation (NFKC, UAX #15)
// turns into them, and those that only look like them.
func looksLikeWay(name string) bool {
	for _, r := range name {
		switch {
		case r < 0x80:
			continue
		case strings.ContainsRune("\u2044\u2215\u2216\u29f5\u29f8\u29f9\u2571\u2572\u27cb\u27cd", r): // slashes, solidi, set minus, diagonals
			return true
		}
		if flat := norm.NFKC.String(string(r)); strings.ContainsAny(flat, `/\`) || strings.Trim(flat, ".") == "" {
			return true
		}
	}
	return false
}
