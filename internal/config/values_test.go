// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"net/netip"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "10 kB": 10_000, "10KB": 10_000, "3 B": 3, "64MiB": 64 << 20, "2GB": 2e9, "1 TiB": 1 << 40,
		"9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "not a size", "MiB": "not a size", "1.5MiB": "not a size", "-1": "not a size", "+1": "not a size", "0x10": "not a size",
		"1 mb": `"mb" is not a unit`, "9223372036854775808": "too large", "8388608TiB": "too large", "1_000": "not a size",
	} {
		if got, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSize(%q) = %d, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestSameAddress(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"0.0.0.0", "10.0.0.2", true},
		{"0.0.0.0", "::1", false},
		{"::", "::1", true},
		{"::", "10.0.0.1", true},
		{"::", "0.0.0.0", true},
	} {
		a, b := netip.MustParseAddr(test.a), netip.MustParseAddr(test.b)
		if sameAddress(a, b) != test.want || sameAddress(b, a) != test.want {
			t.Errorf("sameAddress(%s, %s) is not %v both ways", a, b, test.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	many := strings.Split("a1 b2 c3 d4 e5 f6 g7 h8 i9 j10 k11 l12 m13 n14", " ")
	for _, test := range []struct {
		given string
		names []string
		want  string
	}{
		{"relay-21", []string{"relay-12", "meter-1"}, `Did you mean "relay-12"?`},
		{"camera", []string{"relay-12", "meter-1"}, "The devices are: meter-1, relay-12."},
		{"camera", nil, ""},
		{"something", many, "The devices are a1, b2, c3, d4, e5, f6, g7, h8, i9, j10, k11, l12 and 2 more."},
	} {
		if got := Suggest(test.given, "devices", test.names); got != test.want {
			t.Errorf("Suggest(%q, %v) = %q, want %q", test.given, test.names, got, test.want)
		}
	}
}
