// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/inspect"
)

// cfg is a configuration of 2 analog and 17 status channels, 3 records.
func cfg(format string) string {
	var b strings.Builder
	b.WriteString("Station,7,1999\r\n19,2A,17D\r\n1,IA,A,,A,0.1,0,0,-32767,32767,1,1,P\r\n2,IB,B,,A,0.1,0,0,-32767,32767,1,1,P\r\n")
	for i := range 17 {
		fmt.Fprintf(&b, "%d,D%d,,,0\r\n", i+1, i+1)
	}
	b.WriteString("50\r\n1\r\n1000,3\r\n02/03/2026,12:34:56.123456\r\n02/03/2026,12:34:56.2\r\n" + format + "\r\n1\r\n")
	return b.String()
}

func TestParseCFG(t *testing.T) {
	for format, size := range map[string]int64{"BINARY": 3 * (8 + 2*2 + 2*2), "binary32": 3 * (8 + 4*2 + 2*2), "FLOAT32": 3 * (8 + 4*2 + 2*2)} {
		c, err := inspect.ParseCFG(cfg(format))
		if err != nil || c.Analog != 2 || c.Status != 17 || c.Samples != 3 {
			t.Fatalf("%+v, %v", c, err)
		}
		if got, fixed := c.Size(); !fixed || got != size {
			t.Errorf("%s: %d, %v; want %d", format, got, fixed, size)
		}
	}
	if c, err := inspect.ParseCFG(cfg("ASCII")); err != nil || c.Format != "ASCII" {
		t.Errorf("%+v, %v", c, err)
	}
	good := cfg("BINARY")
	for name, bad := range map[string]string{
		"empty": "", "other numbers": strings.Replace(good, "19,2A", "20,2A", 1), "no numbers": strings.Replace(good, "2A", "A", 1),
		"channel missing": strings.Replace(good, "1,IA,A,,A,0.1,0,0,-32767,32767,1,1,P\r\n", "", 1), "no time": strings.Replace(good, "02/03/2026,12:34:56.1", "noon,noon", 1),
		"other format": strings.Replace(good, "BINARY", "XML", 1), "cut": good[:len(good)/2], "huge": strings.Replace(good, "19,2A,17D", "999999999999,999999999999A,0D", 1),
		"negative": strings.Replace(good, "1000,3", "1000,-3", 1), "rates": strings.Replace(good, "\r\n1\r\n1000", "\r\n99999999\r\n1000", 1),
	} {
		if c, err := inspect.ParseCFG(bad); err == nil {
			t.Errorf("%s was taken as %+v", name, c)
		}
	}
}

func look(name, content string, c *inspect.Comtrade) (string, error) {
	s := inspect.NewStream(name)
	for i := 0; i < len(content); i += 7 { // in pieces
		_, _ = s.Write([]byte(content[i:min(i+7, len(content))]))
	}
	return s.Type(c)
}

func TestTypes(t *testing.T) {
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 200)
	binary, err := inspect.ParseCFG(cfg("BINARY"))
	if err != nil {
		t.Fatal(err)
	}
	ascii := binary
	ascii.Format = "ASCII"
	line := "1,0,5,6" + strings.Repeat(",0", 17) + "\r\n"
	for _, tt := range []struct {
		name, content string
		cfg           *inspect.Comtrade
		want          string
	}{
		{"a.cfg", cfg("BINARY"), nil, "comtrade"}, {"A.CFG", cfg("BINARY"), nil, "comtrade"}, {"a.cfg", elf, nil, "elf"}, {"a.cfg", "key = value\n", nil, "text"},
		{"a.txt", cfg("BINARY"), nil, "text"}, {"a.bin", elf, nil, "elf"}, {"a.zip", "PK\x03\x04" + strings.Repeat("\x00", 100), nil, "zip"},
		{"a.rar", "Rar!\x1a\x07\x01\x00" + strings.Repeat("\x00", 100), nil, "rar"}, {"a.zst", "\x28\xb5\x2f\xfd" + strings.Repeat("\x00", 100), nil, "zstd"},
		{"a.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00", nil, "jpeg"}, {"a.exe", "MZ" + strings.Repeat("\x00", 100), nil, "pe"}, {"a.bin", "\x01\x02\x03\x80", nil, "data"},
		{"a.dat", strings.Repeat("\x01", 48), &binary, "comtrade"}, {"a.dat", strings.Repeat("\x01", 47), &binary, "data"},
		{"a.dat", strings.Repeat("\x01", 48), nil, "data"}, {"a.dat", strings.Repeat(line, 3), &ascii, "comtrade"},
		{"a.dat", strings.Repeat(line, 2) + strings.TrimSpace(line), &ascii, "comtrade"}, {"a.dat", strings.Repeat(line, 2) + "1,2\r\n", &ascii, "csv"}, {"a.dat", strings.Repeat(line, 2), &ascii, "csv"},
	} {
		got, why := look(tt.name, tt.content, tt.cfg)
		if tt.want == "csv" && got == "text" {
			got = "csv" // which of the two a few lines are is the library's view
		}
		if got != tt.want {
			t.Errorf("%s %.20q: %s (%v), want %s", tt.name, tt.content, got, why, tt.want)
		}
		if !slices.Contains(append(inspect.Types(), "csv"), got) {
			t.Errorf("%s is not among the types", got)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("a.cfg", cfg("BINARY"))
	f.Add("a.dat", "1,2\n")
	f.Add("a.cff", combined("BINARY", "--- file type: DAT BINARY: 48 ---", strings.Repeat("\x01", 48)))
	f.Fuzz(func(t *testing.T, name, content string) {
		c, err := inspect.ParseCFG(content)
		if err == nil {
			if n, _ := c.Size(); n < 0 {
				t.Errorf("%+v has size %d", c, n)
			}
		}
		if kind, _ := look(name, content, &c); kind == "" {
			t.Error("no type")
		}
	})
}
