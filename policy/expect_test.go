// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"testing"
)

func TestCompanion(t *testing.T) {
	for _, c := range []struct{ template, file, companion string }{
		{"{name}.size", "/events/r1.dat", "/events/r1.dat.size"},
		{"{stem}.inf", "/events/r1.dat", "/events/r1.inf"},
		{"{stem}.inf", "/events/r1", "/events/r1.inf"},
		{"{stem}.inf", "/.hidden", "/.hidden.inf"},
		{"size-of-{name}", "/r1.dat", "/size-of-r1.dat"},
	} {
		companion, err := CompileCompanion(c.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := companion.Of(c.file); got != c.companion {
			t.Errorf("%s of %s: %s, want %s", c.template, c.file, got, c.companion)
		}
		if companion.Is(c.file) || !companion.Is(c.companion) {
			t.Errorf("%s: which of %s and %s is the companion?", c.template, c.file, c.companion)
		}
	}
	for _, bad := range []string{"", "size", "{name}", "{stem}", "{name}{stem}", "../{name}.size", "{nam}.size", "{name}/size"} {
		if c, err := CompileCompanion(bad); err == nil {
			t.Errorf("%q is a companion: %+v", bad, c)
		}
	}
}

func TestCompanionsSize(t *testing.T) {
	c, err := CompileCompanion("{name}.size")
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]int64{"0": 0, "12345\r\n": 12345, " 9223372036854775807 ": 1<<63 - 1} {
		if got, err := c.ParseSize(content); err != nil || got != want {
			t.Errorf("%q: %d, %v", content, got, err)
		}
	}
	for _, bad := range []string{"", "\n", "-1", "+1", "1 2", "0x10", "1e3", "9223372036854775808", "12\x00"} {
		if got, err := c.ParseSize(bad); err == nil {
			t.Errorf("%q: %d", bad, got)
		}
	}
}

func TestNameSize(t *testing.T) {
	n, err := CompileNameSize(`[a-z]+_(?P<size>[0-9]+)\.dat`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := n.Of("/events/rec_5120.dat"); err != nil || got != 5120 {
		t.Errorf("%d, %v", got, err)
	}
	for _, bad := range []string{"/events/rec.dat", "/rec_5120.dat.bak", "/x-rec_1.dat", "/rec_99999999999999999999.dat"} {
		if got, err := n.Of(bad); !errors.Is(err, ErrNoSize) {
			t.Errorf("%s: %d, %v", bad, got, err)
		}
	}
	for _, bad := range []string{"(", "[0-9]+", "([0-9]+)", "(?P<length>[0-9]+)"} {
		if _, err := CompileNameSize(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
