// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// A Secret shows **** and nothing else, whoever prints it: under every verb, in every place of a structure, in slog and in JSON.
func TestSecretDoesNotPrint(t *testing.T) {
	const word = "hunter2"
	s := NewSecret(word)
	type hidden struct{ inner struct{ p Secret } }
	h := hidden{}
	h.inner.p = s
	values := []any{s, &s, []Secret{s}, [1]Secret{s}, map[Secret]Secret{s: s}, map[string]any{"p": s}, h, &h, []any{h, &h}, errors.Join(fmt.Errorf("got %v", s))}
	var out strings.Builder
	for _, v := range values {
		for verb := rune('A'); verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "10.3", "-40", "+#", "# "} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", v)
			}
		}
		fmt.Fprintln(&out, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("login", "password", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("login", "password", v, slog.Any("again", v))
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		out.Write(encoded)
	}
	encoded, err := xml.Marshal(s)
	if err != nil {
		t.Error(err)
	}
	out.Write(encoded)
	for _, leak := range []string{word, word[:3], fmt.Sprintf("%x", word), fmt.Sprintf("%X", word), "104 117", "68 75 6e", "aHVudGVyMg"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the output shows %q", leak)
		}
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%#v", s), fmt.Sprintf("%x", s), fmt.Sprintf("%d", s), s.GoString()} {
		if shown != Masked {
			t.Errorf("shown as %q", shown)
		}
	}
	if text, err := json.Marshal(map[Secret]any{s: s}); err != nil || string(text) != `{"****":"****"}` {
		t.Errorf("in JSON: %s, %v", text, err)
	}
}

func TestSecret(t *testing.T) {
	s := NewSecret("hunter2")
	if s.Reveal() != "hunter2" || s.Len() != 7 {
		t.Errorf("reveals %q of length %d", s.Reveal(), s.Len())
	}
	if !s.Equal(NewSecret("hunter2")) || s.Equal(NewSecret("hunter")) || !(Secret{}).Equal(NewSecret("")) || (Secret{}).Len() != 0 {
		t.Error("equal ones differ, or others do not")
	}
}
