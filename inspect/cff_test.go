// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"fmt"
	"strings"
	"testing"
)

// combined is a COMTRADE file all in one: 3 records of 2 analog and 17 status channels in the format.
func combined(format, separator, data string) string {
	return "--- file type: CFG ---\r\n" + cfg(format) + "\r\n--- file type: INF ---\r\n[Public File_Description]\r\nx=1\r\n" +
		"--- file type: HDR ---\r\n<r>" + strings.Repeat("é", 5000) + "</r>\r\n" + separator + "\r\n" + data
}

func TestCombinedFile(t *testing.T) {
	const small, wide = 3 * (8 + 2*2 + 4), 3 * (8 + 4*2 + 4)
	binary := func(n int) string { return strings.Repeat("\x00\n,\x01", n)[:n] }
	line := "1,0,5,6" + strings.Repeat(",0", 17) + "\r\n"
	dat := func(of string) string { return "--- file type: DAT " + of + " ---" }
	whole := combined("BINARY", dat(fmt.Sprint("BINARY: ", small)), binary(small))
	for _, tt := range []struct{ name, content, why string }{
		{"binary", whole, ""},
		{"behind a mark of UTF-8", "\ufeff" + whole, ""},
		{"without their size", combined("BINARY", dat("BINARY"), binary(small)), ""},
		{"in lower case, blanks behind", combined("BINARY", strings.ToLower(dat(fmt.Sprint("BINARY: ", small)))+"     ", binary(small)), ""},
		{"four bytes each", combined("BINARY32", dat(fmt.Sprint("BINARY: ", wide)), binary(wide)), ""},
		{"four bytes each, by their name", combined("FLOAT32", dat(fmt.Sprint("FLOAT32:", wide)), binary(wide)), ""},
		{"text", combined("ASCII", dat("ASCII"), strings.Repeat(line, 3)), ""},
		{"configuration and data alone", "--- file type: CFG ---\n" + cfg("ASCII") + dat("ASCII") + "\n" + strings.Repeat(line, 3), ""},

		{"two bytes where four are said", combined("FLOAT32", dat(fmt.Sprint("BINARY: ", small)), binary(small)), "which is 60 bytes, and there are 48"},
		{"more than said", whole + "\x00", "said to be 48 bytes, and there are 49"},
		{"a wrong number of bytes", combined("BINARY", dat("BINARY: 47"), binary(small)), "said to be 47 bytes"},
		{"a number that is none", combined("BINARY", dat("BINARY: 99999999999999999999"), binary(small)), "not a number of bytes"},
		{"text as binary", combined("ASCII", dat("BINARY: 48"), binary(small)), `in "BINARY", and its configuration says ASCII`},
		{"a record missing", combined("ASCII", dat("ASCII"), strings.Repeat(line, 2)), "3 records, and there are 2"},
		{"no data", strings.Split(whole, "--- file type: DAT")[0], "ends before its data"},
		{"no configuration", "--- file type: INF ---\n" + dat("BINARY: 0") + "\n", "must be CFG"},
		{"a configuration that is none", "--- file type: CFG ---\nhello\n" + dat("BINARY: 0") + "\n", "its section CFG: line 1"},
		{"a section of its own", strings.Replace(whole, "INF ---", "EXE ---", 1), `"EXE" is no section`},
		{"two headers", strings.Replace(whole, "INF ---", "HDR ---", 1), "two sections HDR"},
		{"something in a text", strings.Replace(whole, "x=1", "x\x00", 1), "byte 0x00 has no place in a text"},
		{"something in front", "MZ" + whole, "does not begin with the line of a section"},
		{"an endless configuration", "--- file type: CFG ---\n" + strings.Repeat("x", 3<<20), "longer than any COMTRADE configuration"},
		{"nothing", "", "no section"},
	} {
		kind, why := look("fault.CFF", tt.content, nil)
		if (tt.why == "") != (kind == "comtrade") || (tt.why == "") != (why == nil) || tt.why != "" && !strings.Contains(fmt.Sprint(why), tt.why) {
			t.Errorf("%s: %s, %v", tt.name, kind, why)
		}
	}
	for n := range len(whole) {
		if n%97 > 0 && n < len(whole)-small-40 {
			continue // of the texts some places are enough
		}
		if kind, why := look("fault.cff", whole[:n], nil); kind == "comtrade" || why == nil {
			t.Errorf("cut to %d of %d bytes it is %s", n, len(whole), kind)
		}
	}
	if kind, _ := look("fault.bin", whole, nil); kind == "comtrade" {
		t.Error("its name does not say what it is looked at for, and it is found all the same")
	}
}
