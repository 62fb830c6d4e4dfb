// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_TEST_CHILD"); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens the spool in dir and closes it when the test ends; a Close of the test's own does no harm.
func open(t testing.TB, o Options) *Spool {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func meta(name string) Meta {
	return Meta{
		Conduit: "centre", Home: "/relay-12", Path: name, Zone: "bay-7", Device: "relay-12", Session: "k3v9qz1m-000042",
		Peer: "10.7.0.12:49152", Transfer: "k3v9qz1m-000042-1", Op: "upload", Rule: "disturbance-records",
		Reason: "PRC-002: disturbance records leave the station", Policy: strings.Repeat("ab", 32), Verify: "size", Type: "I",
	}
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// store commits a file.
func store(t testing.TB, s *Spool, name, content string) Entry {
	t.Helper()
	w, err := s.Create(meta(name), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := io.Copy(w, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	e, err := w.Commit(digest(content), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func content(t testing.TB, s *Spool, id string) string {
	t.Helper()
	c, err := readContent(s, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readContent(s *Spool, id string) (string, error) {
	d, err := s.OpenData(id)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(d)
	return string(b), errors.Join(err, d.Close())
}

// fastDir is a directory in memory where there is such a thing: where power cuts are simulated nobody needs a real disk.
func fastDir(t testing.TB) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "spool"); err == nil {
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	return t.TempDir()
}

// secret are options with encryption.
func secret(t testing.TB, dir string) Options {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Dir: dir, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}
}

// What was committed, changed and removed is so after the next start, with and without encryption.
func TestEntriesSurviveRestart(t *testing.T) {
	for name, o := range map[string]Options{"clear": {Dir: t.TempDir()}, "encrypted": secret(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			contents := []string{"", "one", strings.Repeat("two", 100_000)}
			var want []Entry
			for i, c := range contents {
				want = append(want, store(t, s, "/events/"+string(rune('a'+i)), c))
			}
			e, err := s.Update(want[1].ID, func(e *Entry) error {
				e.Path, e.Attempts, e.LastError, e.Receipt = "/other/\xff\"name", 3, "no", []byte(`{"a":1}`)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want[1] = e
			if err := s.Remove(want[0].ID); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
			got := slices.Collect(s.All())
			if len(got) != 2 || !same(got[0], want[1]) || !same(got[1], want[2]) {
				t.Errorf("after the restart:\n got %+v\nwant %+v", got, want[1:])
			}
			for i, e := range got {
				if c := content(t, s, e.ID); c != contents[i+1] {
					t.Errorf("%s has %d bytes that are not those that were stored", e.Path, len(c))
				}
			}
			if r := s.Recovered(); r.Entries != 2 || len(r.Damaged) != 0 || r.Incomplete != 0 || r.Orphans != 0 {
				t.Errorf("recovered: %+v", r)
			}
			if e := store(t, s, "/new", ""); e.ID <= want[2].ID {
				t.Errorf("ID %s comes after %s", e.ID, want[2].ID)
			}
		})
	}
}

func same(a, b Entry) bool {
	x, err1 := encodeRecord(a)
	y, err2 := encodeRecord(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// IDs go on where they were even when everything was removed before the restart.
func TestIDsAreNeverGivenTwice(t *testing.T) {
	dir := t.TempDir()
	last := ""
	for range 5 {
		s := open(t, Options{Dir: dir, Now: func() time.Time { return time.Unix(0, 0) }})
		e := store(t, s, "/a", "x")
		if e.ID <= last {
			t.Errorf("%s after %s", e.ID, last)
		}
		last = e.ID
		if err := s.Remove(e.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(filepath.Join(dir, entriesDir))
	if err != nil || len(names) > 2 {
		t.Errorf("%d directories are left, %v", len(names), err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v", err)
	}
}

// A directory with something else in it is not made a spool.
func TestForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "precious") {
		t.Errorf("got %v", err)
	}
	if _, err := OpenReadOnly(Options{Dir: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read only: %v", err)
	}
}
