// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ftpgw/ftpgw/policy"
)

// readLines reads lines up to the end; what is wrong with one stands in its place.
func readLines(r io.Reader) (lines []string) {
	reader := newLineReader(r, maxLine)
	for {
		line, err := reader.read()
		switch {
		case errors.Is(err, errLineTooLong), errors.Is(err, errControlCharacter):
			lines = append(lines, err.Error())
		case err != nil:
			return lines
		default:
			lines = append(lines, line.Reveal())
		}
	}
}

// FuzzLines: how the bytes are cut into segments does not matter, no line is too long or holds a control character, and after
// anything that ends in a line feed the next line is understood.
func FuzzLines(f *testing.F) {
	f.Add([]byte("NOOP\r\nUSER x\nABOR"))
	f.Add([]byte("\xff\xf4\xff\xf2ABOR\r\n\xff\xfb\x01"))
	f.Add([]byte("\x00\r\n" + strings.Repeat("x", maxLine+1) + "\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		whole := readLines(bytes.NewReader(wire))
		if single := readLines(iotest.OneByteReader(bytes.NewReader(wire))); !slices.Equal(whole, single) {
			t.Fatalf("%q is %q in one piece and %q in many", wire, whole, single)
		}
		for _, line := range whole {
			if len(line) > maxLine || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 127 }) {
				t.Fatalf("%q has the line %q", wire, line)
			}
		}
		// Telnet sequences take up to two bytes behind IAC, so the line feed that ends the line may be one of them.
		if again := readLines(bytes.NewReader(append(wire[:len(wire):len(wire)], "\n\n\n\nNOOP\r\n"...))); again[len(again)-1] != "NOOP" {
			t.Fatalf("behind %q comes %q", wire, again)
		}
	})
}

// FuzzArguments: the arguments of PORT, EPRT, ALLO, REST and OPTS MLST are refused, or mean what they say.
func FuzzArguments(f *testing.F) {
	for _, arg := range []string{"127,0,0,1,200,10", "|1|127.0.0.1|51200|", "|2|::1|51200|", "10 R 5", "10", "type;size;", " 1 , 2,3,4,5,6", "-1", ""} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if a, err := parsePort(arg); err == nil {
			b := a.Addr().As4()
			again := fmt.Sprintf("%d,%d,%d,%d,%d,%d", b[0], b[1], b[2], b[3], a.Port()>>8, a.Port()&0xff)
			if c, err := parsePort(again); err != nil || c != a {
				t.Fatalf("PORT %q is %v, again it is %v, %v", arg, a, c, err)
			}
		}
		if a, err := parseExtendedPort(arg); err == nil {
			protocol := 1
			if strings.Contains(arg, ":") {
				protocol = 2
			}
			again := fmt.Sprintf("|%d|%s|%d|", protocol, a.Addr(), a.Port())
			if c, err := parseExtendedPort(again); a.Addr().Is4() == (protocol == 1) && (err != nil || c != a) {
				t.Fatalf("EPRT %q is %v, again it is %v, %v", arg, a, c, err)
			}
		}
		s := &session{allocated: policy.SizeUnknown, facts: allFacts()}
		x := &exchange{session: s, args: arg}
		if r := s.allo(t.Context(), x); (r.code == 200) != (s.allocated >= 0) || r.code != 200 && r.code != 501 {
			t.Fatalf("ALLO %q: %d, and %d bytes are expected", arg, r.code, s.allocated)
		}
		if r := s.rest_(t.Context(), x); r.code != 350 && (r.code != 501 || s.restart != 0) || s.restart < 0 {
			t.Fatalf("REST %q: %d, and the restart is at %d", arg, r.code, s.restart)
		}
		x.args = "MLST " + arg
		if r := s.opts(t.Context(), x); r.code != 200 || strings.ContainsAny(r.text, "\r\n") {
			t.Fatalf("OPTS MLST %q: %v", arg, r)
		}
		for _, fact := range s.facts {
			if !strings.Contains(strings.ToLower(arg), fact) {
				t.Fatalf("OPTS MLST %q shows %s", arg, fact)
			}
		}
	})
}
