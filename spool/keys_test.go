// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// A stolen disk tells neither names nor contents of any file.
func TestStolenDisk(t *testing.T) {
	o := secret(t, fastDir(t))
	s := open(t, o)
	secrets := []string{"F0001-substation-7", "DISTURBANCE RECORD CONTENT", "relay-12", "bay-7", "centre", "PRC-002", "k3v9qz1m", "10.7.0.12", "a cause of failure"}
	for range 3 {
		e := store(t, s, "/events/F0001-substation-7.dat", strings.Repeat("DISTURBANCE RECORD CONTENT ", 5000))
		if _, err := s.Update(e.ID, func(e *Entry) error { e.LastError = "a cause of failure"; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	half, err := s.Create(meta("/events/F0001-substation-7.dat"), -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Write([]byte(strings.Repeat("DISTURBANCE RECORD CONTENT ", 5000))); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, b := range tree(t, o.Dir) {
		seen += len(b)
		for _, s := range secrets {
			if strings.Contains(name, s) || strings.Contains(b, s) {
				t.Errorf("%s tells %q", name, s)
			}
		}
	}
	if seen < 4*5000*27 {
		t.Errorf("only %d bytes were looked at", seen)
	}
	half.Abort()
}

// Without the right identity the spool cannot be opened, and nothing is taken for damaged.
func TestWrongIdentity(t *testing.T) {
	o := secret(t, fastDir(t))
	s := open(t, o)
	store(t, s, "/a", "content")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := secret(t, o.Dir)
	if _, err := Open(other); !errors.Is(err, errNoKey) {
		t.Errorf("another identity: %v", err)
	}
	if _, err := Open(Options{Dir: o.Dir}); !errors.Is(err, errNoKey) {
		t.Errorf("no identity: %v", err)
	}
	if _, err := Open(Options{Dir: o.Dir, Recipients: o.Recipients}); err == nil {
		t.Error("recipients alone were taken")
	}
	mismatch := Options{Dir: fastDir(t), Recipients: o.Recipients, Identities: other.Identities}
	if _, err := Open(mismatch); !errors.Is(err, errNoKey) {
		t.Errorf("recipients and identities that do not belong together: %v", err)
	}
	s = open(t, o)
	if r := s.Recovered(); r.Entries != 1 || len(r.Damaged) != 0 {
		t.Errorf("recovered %+v", r)
	}
}

// Encryption can be turned on and off and change its recipients: each entry is read as it was written, and keys that nothing needs
// go with the next start.
func TestChangeOfKeys(t *testing.T) {
	first := secret(t, fastDir(t))
	second := secret(t, first.Dir)
	both := append([]age.Identity{}, first.Identities...)
	both = append(both, second.Identities...)
	steps := []Options{
		{Dir: first.Dir},
		first,
		{Dir: first.Dir, Recipients: second.Recipients, Identities: both},
	}
	var ids []string
	for _, o := range steps {
		s := open(t, o)
		ids = append(ids, store(t, s, "/a", "content").ID)
		for _, id := range ids {
			if c := content(t, s, id); c != "content" {
				t.Errorf("%s is %q", id, c)
			}
			if _, err := s.Update(id, func(e *Entry) error { e.Attempts++; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, steps[2])
	if n := keyFiles(t, first.Dir); n != 3 { // of the second and third step, and of now
		t.Errorf("%d keys", n)
	}
	if err := s.Remove(ids...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, second)
	if n := keyFiles(t, first.Dir); n != 1 {
		t.Errorf("%d keys are left", n)
	}
}

func keyFiles(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, keysDir))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
