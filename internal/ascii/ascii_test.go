// SPDX-License-Identifier: Apache-2.0

package ascii

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces reads or writes p in pieces of n bytes.
type pieces struct {
	p []byte
	n int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(r.n, len(p))], r.p)
	r.p = r.p[n:]
	return n, nil
}

func decode(t testing.TB, wire []byte, n int) []byte {
	t.Helper()
	got, err := io.ReadAll(NewReader(&pieces{wire, n}))
	if err != nil {
		t.Fatalf("decode %.60q in pieces of %d: %v", wire, n, err)
	}
	return got
}

func encode(t testing.TB, stored []byte, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for p := stored; len(p) > 0; p = p[min(n, len(p)):] {
		if m, err := w.Write(p[:min(n, len(p))]); err != nil || m != min(n, len(p)) {
			t.Fatalf("encode %.60q: %d, %v", stored, m, err)
		}
	}
	return out.Bytes()
}

func TestLineEndings(t *testing.T) {
	megabyte := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ wire, stored, back string }{ // back is what is sent again; empty for the same as wire
		{"", "", ""},
		{"a\r\nb\r\n", "a\nb\n", ""},
		{"a\r\nb", "a\nb", ""},
		{"\r\n\r\n", "\n\n", ""},
		{"a\rb\r", "a\rb\r", ""},
		{"a\r\r\nb", "a\r\nb", "a\r\nb"},
		{"a\nb\n", "a\nb\n", "a\r\nb\r\n"},
		{"\n\r", "\n\r", "\r\n\r"},
		{"caf\xe9 \xc3\xa9\r\n\x1a", "caf\xe9 \xc3\xa9\n\x1a", ""},
		{megabyte + "\r\n" + megabyte, megabyte + "\n" + megabyte, ""},
	} {
		for _, n := range []int{1, 2, 3, 7, piece - 1, piece, piece + 1, 3 * piece} {
			if n < 7 && len(c.wire) > 1<<20 {
				continue
			}
			if got := decode(t, []byte(c.wire), n); string(got) != c.stored {
				t.Errorf("decode %.40q in pieces of %d: got %.40q, want %.40q", c.wire, n, got, c.stored)
			}
			back := c.back
			if back == "" {
				back = c.wire
			}
			if got := encode(t, []byte(c.stored), n); string(got) != back {
				t.Errorf("encode %.40q in pieces of %d: got %.40q, want %.40q", c.stored, n, got, back)
			}
		}
	}
}

func TestNotText(t *testing.T) {
	for _, content := range []string{
		"text\x00", "\x7fELF\x02\x01", "\x1f\x8b\x08", "PK\x03\x04", "\xff\xfea\n", "\xfe\xff", "\xff\xd8\xff\xe0", "\x89PNG\r\n", "%PDF-1.7",
		strings.Repeat("line\r\n", 20000) + "\x01",
	} {
		for _, n := range []int{1, 2, 1 << 20} {
			if _, err := io.ReadAll(NewReader(&pieces{[]byte(content), n})); !errors.Is(err, ErrNotText) {
				t.Errorf("decode %.20q in pieces of %d: %v", content, n, err)
			}
		}
		var c Checker
		if err := c.Check([]byte(content)); !errors.Is(err, ErrNotText) {
			t.Errorf("check %.20q: %v", content, err)
		}
		if n, err := NewWriter(io.Discard).Write([]byte(content)); !errors.Is(err, ErrNotText) || n == len(content) {
			t.Errorf("encode %.20q: %d, %v", content, n, err)
		}
	}
}

func TestErrorsPassUnaltered(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("a\r"), iotest.ErrReader(broken)))
	got, err := io.ReadAll(r)
	if !errors.Is(err, broken) || !strings.HasPrefix("a\r", string(got)) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := NewWriter(failing{broken}).Write([]byte("a")); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzRoundTrip holds the codec to its promises for any content in any pieces.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\nd\r\r\n\n"), 1)
	f.Add([]byte("\r\n"), 2)
	f.Add([]byte("\xff\xd8\xff"), 1)
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		n = min(max(n, 1), len(content)+1)
		stored, err := io.ReadAll(NewReader(&pieces{content, n}))
		var c Checker
		if want := c.Check(content); (want == nil) != (err == nil) {
			t.Fatalf("decode says %v, the checker %v", err, want)
		}
		if err != nil {
			return
		}
		if want := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")); !bytes.Equal(stored, want) {
			t.Fatalf("decode %q in pieces of %d: got %q, want %q", content, n, stored, want)
		}
		wire := encode(t, content, n)
		if bare := bytes.Count(wire, []byte("\n")) - bytes.Count(wire, []byte("\r\n")); bare != 0 {
			t.Fatalf("encode %q in pieces of %d leaves %d bare LF: %q", content, n, bare, wire)
		}
		if !bytes.Equal(wire, encode(t, content, len(content)+1)) {
			t.Fatalf("encode %q: pieces of %d matter", content, n)
		}
		if again := encode(t, wire, n); !bytes.Equal(again, wire) {
			t.Fatalf("encode twice: %q, then %q", wire, again)
		}
		if got := decode(t, wire, n); !bytes.Equal(got, stored) {
			t.Fatalf("%q: sent and received it is %q, want %q", content, got, stored)
		}
	})
}
