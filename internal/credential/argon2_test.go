// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"errors"
	"strings"
	"testing"
)

func smallArgon() Argon2id { return Argon2id{Memory: MinArgonMemory, Time: 1, Threads: 1} }

func TestArgon2id(t *testing.T) {
	hash, err := HashArgon2id([]byte("correct horse"), smallArgon())
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(hash); err != nil {
		t.Errorf("Check of our own hash: %v", err)
	}
	if !Verify(hash, []byte("correct horse")) {
		t.Error("the right password is refused")
	}
	for _, wrong := range []string{"", "correct hors", "correct horse ", strings.Repeat("x", MaxArgonPassword+1)} {
		if Verify(hash, []byte(wrong)) {
			t.Errorf("%q is accepted", wrong)
		}
	}
	if _, err := HashArgon2id(nil, smallArgon()); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty password: %v", err)
	}
}

// What the reference implementation of Argon2 makes (argon2 SALT -id -t 2 -m 15 -p 1 -l 32 -e) is verified here.
func TestArgon2idOfTheReferenceImplementation(t *testing.T) {
	for _, hash := range []string{
		"$argon2id$v=19$m=32768,t=2,p=1$c29tZXNhbHQ4c29tZXNhbHQ$Ct8zit+j8fdvR108hM99g/CEzxlQtx5F5tyhm6WF7LM",
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	} {
		if err := Check(hash); err != nil {
			t.Errorf("%s: %v", hash, err)
		}
		if !Verify(hash, []byte("password")) || Verify(hash, []byte("Password")) {
			t.Errorf("%s is not verified as it should be", hash)
		}
	}
}

func TestArgon2idBounds(t *testing.T) {
	if err := DefaultArgon2id().check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Argon2id{{MinArgonMemory - 1, 1, 1}, {MaxArgonMemory + 1, 1, 1}, {MinArgonMemory, 0, 1}, {MinArgonMemory, MaxArgonTime + 1, 1}, {MinArgonMemory, 1, 0}, {MinArgonMemory, 1, MaxArgonThreads + 1}} {
		if _, err := HashArgon2id([]byte("x"), bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestCheckRefusesArgon2id(t *testing.T) {
	good, err := HashArgon2id([]byte("x"), smallArgon())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ from, to, want string }{
		"another version": {"v=19", "v=16", "version"},
		"too much memory": {"m=8192", "m=4194304", "memory"},
		"no parameters":   {"m=8192,t=1,p=1", "", "parameters"},
		"more behind":     {"p=1$", "p=1,x=2$", "normal form"},
		"a leading zero":  {"m=8192", "m=08192", "normal form"},
		"no salt":         {"p=1$", "p=1$$", "form"},
		"a short salt":    {"p=1$", "p=1$AAAA$", "form"},
		"not base64":      {"p=1$", "p=1$*", "salt"},
		"too many lanes":  {"p=1", "p=300", "parameters"},
	} {
		hash := strings.Replace(good, test.from, test.to, 1)
		if err := Check(hash); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s (%s): error %v, want one with %q", name, hash, err, test.want)
		}
		if Verify(hash, []byte("x")) {
			t.Errorf("%s: Verify accepts it", name)
		}
	}
}
