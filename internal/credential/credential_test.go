// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestHashVerify(t *testing.T) {
	hash, err := HashWithCost([]byte("correct horse"), MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(hash); err != nil {
		t.Errorf("Check of our own hash: %v", err)
	}
	if !Verify(hash, []byte("correct horse")) {
		t.Error("the right password is refused")
	}
	for _, wrong := range []string{"", "correct hors", "correct horse ", "Correct horse", strings.Repeat("x", 73)} {
		if Verify(hash, []byte(wrong)) {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestHashUsesDefaultCost(t *testing.T) {
	hash, err := Hash([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("$2a$%02d$", DefaultCost); !strings.HasPrefix(hash, want) {
		t.Errorf("hash %q does not start with %q", hash, want)
	}
}

func TestLongestPassword(t *testing.T) {
	longest := bytes.Repeat([]byte("p"), MaxPassword)
	hash, err := HashWithCost(longest, MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if !Verify(hash, longest) {
		t.Error("a password of 72 bytes is refused")
	}
	// bcrypt itself would cut this one to the same 72 bytes and accept it.
	if Verify(hash, append(longest, 'x')) {
		t.Error("a password that is equal in its first 72 bytes is accepted")
	}
}

func TestHashRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		password string
		want     error
	}{
		"empty":    {"", ErrEmpty},
		"too long": {strings.Repeat("é", 37), ErrTooLong},
		"newline":  {"a\nb", ErrUnsendable},
		"NUL":      {"a\x00b", ErrUnsendable},
	} {
		if _, err := HashWithCost([]byte(test.password), MinCost); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	for _, cost := range []int{MinCost - 1, MaxCost + 1} {
		if _, err := HashWithCost([]byte("x"), cost); err == nil || !strings.Contains(err.Error(), "outside 4 to 14") {
			t.Errorf("cost %d: error %v", cost, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	good, err := HashWithCost([]byte("x"), MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ hash, want string }{
		"empty":         {"", "empty"},
		"clear text":    {"secret", "not a bcrypt hash"},
		"dollars":       {"$", "not a bcrypt hash"},
		"sha512-crypt":  {"$6$salt$abcdef", "$6$ is not a bcrypt hash"},
		"broken 2x":     {"$2x$" + good[4:], "$2x$ is not"},
		"short":         {good[:59], "59 characters"},
		"alphabet":      {good[:59] + "!", "characters that do not belong"},
		"cost too high": {"$2a$15$" + good[7:], "outside 4 to 14"},
		"cost too low":  {"$2a$03$" + good[7:], "cost 3"},
		"cost no digit": {"$2a$xx$" + good[7:], "bcrypt"},
	} {
		err := Check(test.hash)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
		if Verify(test.hash, []byte("x")) {
			t.Errorf("%s: Verify accepts it", name)
		}
	}
	for _, variant := range []string{"$2b$", "$2y$"} {
		if !Verify(variant+good[4:], []byte("x")) {
			t.Errorf("%s is refused", variant)
		}
	}
}
