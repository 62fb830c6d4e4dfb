// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		wire, lines string
		err         error
	}{
		{"\xff\x02", "", nil},
		{"\xff\x03", "\n", nil},
		{"one\xff\x01two\xff\x01\xff\x02", "one\ntwo\n", nil},
		{"one\xff\x01two\xff\x03", "one\ntwo\n", nil},
		{"one\xff\x01two\xff\x02", "one\ntwo", nil},
		{"a\xff\xffb\xff\xff\xff\x03", "a\xffb\xff\n", nil},
		{"a\r\x00\xff\x03", "a\r\x00\n", nil},
		{"", "", ErrTruncated},
		{"one\xff\x01", "one\n", ErrTruncated},
		{"one\xff", "one", ErrTruncated},
		{"one\xff\x00", "one", ErrBadMark},
		{"one\xff\x04", "one", ErrBadMark},
		{"one\xff\x02two", "one", ErrBadMark},
		{"one\ntwo\xff\x03", "one", ErrLineFeed},
	} {
		for name, src := range map[string]io.Reader{
			"whole": strings.NewReader(c.wire), "bytes": iotest.OneByteReader(strings.NewReader(c.wire)),
			"with error": iotest.DataErrReader(strings.NewReader(c.wire)),
		} {
			if name == "bytes" && c.wire == "one\xff\x02two" {
				continue // a sender may leave the connection open behind the EOF, so nothing more is waited for
			}
			got, err := io.ReadAll(NewReader(src))
			if !errors.Is(err, c.err) || (c.err == nil && string(got) != c.lines) || !strings.HasPrefix(c.lines, string(got)) {
				t.Errorf("%q (%s): got %q, %v, want %q, %v", c.wire, name, got, err, c.lines, c.err)
			}
		}
	}
	if _, err := io.ReadAll(NewReader(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(broken)))); !errors.Is(err, broken) {
		t.Errorf("an error of the source became %v", err)
	}
}

func TestWrite(t *testing.T) {
	long := strings.Repeat("\xff", 3*piece)
	for lines, want := range map[string]string{
		"":           "\xff\x02",
		"\n":         "\xff\x01\xff\x02",
		"one\ntwo\n": "one\xff\x01two\xff\x01\xff\x02",
		"one\ntwo":   "one\xff\x01two\xff\x02",
		"a\r\n\xff":  "a\r\xff\x01\xff\xff\xff\x02",
		long:         long + long + "\xff\x02",
	} {
		if got := string(write(t, []byte(lines))); got != want {
			t.Errorf("%.40q: got %.40q, want %.40q", lines, got, want)
		}
	}
	if _, err := NewWriter(failing{}).Write([]byte("a")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func write(t testing.TB, lines []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	if n, err := w.Write(lines); n != len(lines) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzFile: every file comes back as it went out.
func FuzzFile(f *testing.F) {
	f.Add([]byte("one\ntwo\xff\x01\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := io.ReadAll(NewReader(iotest.HalfReader(bytes.NewReader(write(t, file)))))
		if err != nil || !bytes.Equal(got, file) {
			t.Fatalf("%q came back as %q, %v", file, got, err)
		}
	})
}

// FuzzStream: whatever arrives is either refused or means the same when it is sent back, however it is cut into pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte("one\xff\x01two\xff\x03"))
	f.Add([]byte("\xff\xff\xff\x02"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		lines, err := io.ReadAll(NewReader(bytes.NewReader(wire)))
		if err != nil {
			return
		}
		again, err := io.ReadAll(NewReader(iotest.OneByteReader(bytes.NewReader(write(t, lines)))))
		if err != nil || !bytes.Equal(again, lines) {
			t.Fatalf("%q is %q, sent back it is %q, %v", wire, lines, again, err)
		}
	})
}
