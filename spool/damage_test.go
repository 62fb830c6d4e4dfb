// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// edit changes the content of a file.
func edit(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tree is all names and contents below a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var damages = []struct {
	name   string
	record bool // of the record beside the data
	change func([]byte) []byte
	cause  string
}{
	{"empty", false, func([]byte) []byte { return nil }, "too short"},
	{"cut at the end", false, func(b []byte) []byte { return b[:len(b)-1] }, "footer"},
	{"cut in the data", false, func(b []byte) []byte { return b[1:] }, "bytes"},
	{"longer", false, func(b []byte) []byte { return append([]byte("x"), b...) }, "bytes"},
	{"no footer", false, func(b []byte) []byte { return append(b, b...)[:len(b)+20] }, "footer"},
	{"a bit in the record", false, func(b []byte) []byte { return bytes.Replace(b, []byte("relay-12"), []byte("relay-13"), 1) }, "checksum"},
	{"zeros", false, func(b []byte) []byte { return make([]byte, len(b)) }, "footer"},
	{"a bit in the newer record", true, func(b []byte) []byte { return bytes.Replace(b, []byte("relay-12"), []byte("relay-13"), 1) }, "checksum"},
	{"an empty newer record", true, func([]byte) []byte { return nil }, "too short"},
	{"a newer record of a later version", true, func(b []byte) []byte {
		return trailer(bytes.Replace(b[:bytes.IndexByte(b, '\n')+1], []byte(`"record":1`), []byte(`"record":2`), 1), 0, 0)
	}, "version 2"},
	{"a key that is missing", false, func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte(`{"record"`))
		return append(bytes.Clone(b[:at]), trailer(bytes.Clone(b[at:len(b)-footerSize]), int64(at), 7)...)
	}, "key is missing"},
}

// What is damaged is set apart, whole as it is, with what is known about it, and does not hold up the rest. It stays so.
func TestDamagedEntriesAreSetApart(t *testing.T) {
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Dir: fastDir(t)}
			s := open(t, o)
			bad, good := store(t, s, "/bad", "some content"), store(t, s, "/good", "more content")
			if _, err := s.Update(bad.ID, func(e *Entry) error { e.State = Held; return nil }); err != nil {
				t.Fatal(err)
			}
			path := s.entryPath(0)
			if c.record {
				path += recordSuffix
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, path, c.change)
			data, record := read(t, s.entryPath(0)), read(t, s.recordPath(0))

			before := tree(t, o.Dir)
			ro, err := OpenReadOnly(o)
			if err != nil {
				t.Fatal(err)
			}
			wantDamage(t, ro, bad.ID, c.cause, s.entryPath(0))
			if err := ro.Close(); err != nil {
				t.Error(err)
			}
			if after := tree(t, o.Dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("opening for reading has changed something")
			}

			s = open(t, o)
			apart := filepath.Join(o.Dir, damagedDir, bad.ID)
			wantDamage(t, s, bad.ID, c.cause, apart)
			if read(t, apart) != data || read(t, apart+recordSuffix) != record {
				t.Error("what was set apart is not what was there")
			}
			if _, ok := s.Get(bad.ID); ok || content(t, s, good.ID) != "more content" {
				t.Error("the damaged entry is in the spool, or the other one is not")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
			if u, err := s.Usage(); err != nil || len(s.Recovered().Damaged) != 0 || u.Damaged != 1 || u.Waiting.Entries != 1 {
				t.Errorf("at the next start: %+v, %+v, %v", s.Recovered(), u, err)
			}
		})
	}
}

func wantDamage(t *testing.T, s *Spool, id, cause, path string) {
	t.Helper()
	r := s.Recovered()
	if len(r.Damaged) != 1 || r.Entries != 1 {
		t.Fatalf("recovered %+v", r)
	}
	d := r.Damaged[0]
	if d.ID != id || !strings.Contains(d.Cause, cause) || d.Path != path {
		t.Errorf("damage: %+v, want cause %q at %s", d, cause, path)
	}
	if d.Known != nil && d.Known.Path != "/bad" {
		t.Errorf("known is %+v", d.Known)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is not ours stays where it is, is reported, and holds nothing up.
func TestForeignFilesStay(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	s := open(t, o)
	store(t, s, "/good", "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	strange := []string{"README", "0000000000000/README", "0000000000000/0000000000001000", "0000000000000/000000000000000A"}
	for _, name := range strange {
		if err := os.WriteFile(filepath.Join(o.Dir, entriesDir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, o)
	if r := s.Recovered(); len(r.Damaged) != len(strange) || r.Entries != 1 {
		t.Errorf("recovered %+v", r)
	}
	for _, name := range strange {
		read(t, filepath.Join(o.Dir, entriesDir, name))
	}
}

// Bytes that are not those that were committed never end in io.EOF.
func TestDamagedDataAreNoEOF(t *testing.T) {
	for name, o := range map[string]Options{"clear": {Dir: fastDir(t)}, "encrypted": secret(t, fastDir(t))} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			e := store(t, s, "/a", strings.Repeat("some content ", 10_000))
			edit(t, s.entryPath(0), func(b []byte) []byte { b[70_000] ^= 1; return b })
			if _, err := readContent(s, e.ID); err == nil {
				t.Error("the damage went unnoticed")
			} else if name == "clear" && !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A sector that cannot be read is damage of one entry; that nothing can be read is not.
func TestUnreadableRecord(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	s := open(t, o)
	store(t, s, "/bad", "x")
	store(t, s, "/good", "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fail := func(name string, errno syscall.Errno) calls {
		c := system()
		c.open = func(path string) (file, error) {
			f, err := os.Open(path)
			if strings.HasSuffix(path, name) {
				return unreadable{f, errno}, err
			}
			return f, err
		}
		return c
	}
	if _, err := openWith(o, fail("0", syscall.ENOMEM)); !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("got %v", err)
	}
	s, err := openWith(o, fail("00", syscall.EIO))
	if err != nil {
		t.Fatal(err)
	}
	wantDamage(t, s, entryID(0), "input/output error", filepath.Join(o.Dir, damagedDir, entryID(0)))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type unreadable struct {
	file
	err error
}

func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }
