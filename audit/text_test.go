// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := map[string]string{
		"plain":           "plain",
		"Störung 保護":      "Störung 保護",
		"\xff":            `\xff`,
		`\xff`:            `\\xff`,
		`\` + "\xff":      `\\\xff`,
		"a\xe2\x82b":      `a\xe2\x82b`,
		"\uFFFD":          "\uFFFD",
		"<a & b>\r\n\x00": "<a & b>\r\n\x00",
	}
	for in, want := range tests {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
		if got := unescape(want); got != in {
			t.Errorf("unescape(%q) = %q, want %q", want, got, in)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\xffb", `a\xffb`)
	f.Add(`\\`, `\`)
	f.Fuzz(func(t *testing.T, a, b string) {
		ea, eb := escape(a), escape(b)
		if !utf8.ValidString(ea) {
			t.Errorf("escape(%q) is not UTF-8", a)
		}
		if a != b && ea == eb {
			t.Errorf("%q and %q have become the same", a, b)
		}
		if unescape(ea) != a {
			t.Errorf("unescape(escape(%q)) = %q", a, unescape(ea))
		}
		unescape(b) // anything may stand in a file
	})
}

func FuzzDecodeLine(f *testing.F) {
	_, line2 := two()
	f.Add([]byte(line2))
	f.Add([]byte(`{"seq":1,"detail":{"\\x":"\\xf"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decodeLine(line)
		if err == nil && r.Seq == 0 {
			t.Error("a record without seq was accepted")
		}
	})
}

// fill sets every string, pointer, slice and map of v, so that a field that somebody adds is part of the tests below.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), s)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{s: s}))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), s)
			}
		}
	}
}

// A record comes out of the log as it went in, whatever bytes are in whichever field.
func TestRoundTrip(t *testing.T) {
	for _, s := range []string{"plain", "a\xffb\\xff<&>\u2028\"\n", "\xed\xa0\x80"} {
		var in Record
		fill(reflect.ValueOf(&in).Elem(), s)
		dir := t.TempDir()
		l := open(t, dir)
		if err := l.Record(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		raw := read(t, filepath.Join(dir, first))
		if strings.Contains(raw, "\uFFFD") || strings.Contains(raw, `\ufffd`) {
			t.Errorf("%q: bytes were lost: %s", s, raw)
		}
		if strings.Contains(raw, `\u003c`) || !json.Valid([]byte(raw)) {
			t.Errorf("%q: not the JSON that was promised: %s", s, raw)
		}
		out := records(t, dir)[0]
		in.Time, in.Seq, in.Prev = out.Time, out.Seq, out.Prev
		if !reflect.DeepEqual(in, out) {
			t.Errorf("%q:\n in %+v\nout %+v", s, in, out)
		}
	}
}

// What the caller does with its record afterwards does not reach the log.
func TestNoteCopies(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	r := Record{Event: Command, CommandFields: &CommandFields{Verb: "STOR"}, Detail: map[string]string{"a": "b"}}
	if err := l.Note(r); err != nil {
		t.Fatal(err)
	}
	r.Verb, r.Detail["a"] = "changed", "changed"
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out := records(t, dir)[0]; out.Verb != "STOR" || out.Detail["a"] != "b" {
		t.Errorf("the log has %+v", out)
	}
}
