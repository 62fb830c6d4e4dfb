// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// agedLog makes a log of many segments: some removed by retention, some compressed, some plain. It returns the checkpoint from before the
// last segments, and the key.
func agedLog(t *testing.T, dir string) (checkpoint []byte, key string) {
	t.Helper()
	for range 5 {
		runFor(t, dir, 20*day, 0)
	}
	checkpoint = []byte(read(t, filepath.Join(dir, checkpointFile)))
	l := signed(t, dir, Options{noKeeper: true, SegmentSize: 1000, running: func() time.Duration { return 0 }})
	for range 20 {
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := segments(dir)
	if err != nil || len(list) < 12 || list[0].number == 1 || !list[0].compressed || list[len(list)-2].compressed {
		t.Fatalf("the log is not as it should be: %+v, %v", list, err)
	}
	return checkpoint, read(t, filepath.Join(dir, publicKeyFile))
}

// Whatever is changed in a log that was rotated, compressed and shortened by retention, in whatever file, verify finds it.
func TestVerifyFindsEveryChangeInEveryFile(t *testing.T) {
	source := t.TempDir()
	agedLog(t, source)
	list, err := segments(source)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	edits, harmless := 0, 0
	for range 180 {
		for _, change := range tamperings() {
			s := list[random.IntN(len(list))]
			original := []byte(read(t, s.path()))
			if s.compressed && change.lines {
				continue // has no lines
			}
			text := change.do(random, slices.Clone(original))
			if slices.Equal(text, original) {
				continue
			}
			edits++
			s.dir = dir
			write(t, s.path(), string(text))
			if _, err := Verify(t.Context(), dir, VerifyOptions{}); !IsEvidence(err) {
				// A bit of a frame's header that means nothing: what comes out is the same, byte for byte.
				if !s.compressed || err != nil || !sameContent(t, s, segment{source, s.number, true}) {
					t.Errorf("%s in %s: %v", change.name, s.path(), err)
				}
				harmless++
			}
			write(t, s.path(), string(original))
		}
	}
	if edits < 1000 || harmless > edits/20 {
		t.Errorf("%d changes, %d of them without a meaning", edits, harmless)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Errorf("with all changes undone: %v", err)
	}
}

func sameContent(t *testing.T, a, b segment) bool {
	t.Helper()
	var one, two strings.Builder
	if err := errors.Join(a.copyTo(&one), b.copyTo(&two)); err != nil {
		t.Fatal(err)
	}
	return one.String() == two.String()
}

// Whole files that are removed, exchanged or doubled are found, too.
func TestVerifyFindsMovedFiles(t *testing.T) {
	source := t.TempDir()
	agedLog(t, source)
	list, err := segments(source)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(list) - 1 {
		for name, change := range map[string]func(a, b string) error{
			"removed": func(a, _ string) error { return os.Remove(a) },
			"doubled": func(a, b string) error { return os.WriteFile(b, []byte(read(t, a)), filePerm) },
			"exchanged": func(a, b string) error {
				one, two := read(t, a), read(t, b)
				return errors.Join(os.WriteFile(a, []byte(two), filePerm), os.WriteFile(b, []byte(one), filePerm))
			},
		} {
			if list[i].compressed != list[i+1].compressed {
				continue // the content would not fit its name
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			a, b := list[i], list[i+1]
			a.dir, b.dir = dir, dir
			if err := change(a.path(), b.path()); err != nil {
				t.Fatal(err)
			}
			_, err := Verify(t.Context(), dir, VerifyOptions{})
			if !IsEvidence(err) {
				t.Errorf("%s %s: %v", a.name(), name, err)
			}
		}
	}
}

// An old checkpoint finds a log that was written anew with the gateway's own key, also where retention has removed the beginning; and a
// log that goes on it proves.
func TestOldCheckpointOfAgedLog(t *testing.T) {
	dir := t.TempDir()
	checkpoint, key := agedLog(t, dir)
	opts := VerifyOptions{Key: key, Checkpoint: checkpoint}
	if v, err := Verify(t.Context(), dir, opts); err != nil || v.Outside == 0 || v.First == 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	old, err := OpenCheckpoint(checkpoint, key)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := ProveContinuation(t.Context(), dir, old)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := CheckProof(proof, checkpoint, key); err != nil || p.Old != old.Size {
		t.Errorf("%+v, %v", p, err)
	}
	var list []Record
	for r, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	files, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	rewriteLog(t, files, list)
	if _, err := Verify(t.Context(), dir, VerifyOptions{Key: key}); err != nil {
		t.Fatalf("a log that was rewritten with its own key is intact in itself: %v", err)
	}
	if _, err := Verify(t.Context(), dir, opts); !errors.Is(err, errRoot) {
		t.Errorf("the old checkpoint says %v", err)
	}
}

// rewriteLog chains all records anew in one file, from the first segment's own record on, with one of them changed.
func rewriteLog(t *testing.T, files []segment, list []Record) {
	t.Helper()
	dir := files[0].dir
	base, err := files[0].base([]byte(firstLine(t, files[0])))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range files {
		remove(t, s.path())
	}
	remove(t, filepath.Join(dir, checkpointFile))
	c := &base
	var text []byte
	forged := false
	for i, r := range list {
		if r.Event == Command && !forged {
			r.Args, forged = "/something/else", true
		}
		if i > 0 && strings.HasPrefix(string(r.Event), "log.") && r.Event != LogRemoved {
			r = Record{Event: GatewayStart} // what was signed is not true any more
		}
		body, err := encodeBody(r)
		if err != nil {
			t.Fatal(err)
		}
		text = c.append(text, later(c.time, r.Time), body)
	}
	write(t, segment{dir: dir, number: files[0].number}.path(), string(text))
	fillLog(t, dir, 1) // signs it
}

func firstLine(t *testing.T, s segment) string {
	t.Helper()
	var text strings.Builder
	if err := s.copyTo(&text); err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(text.String(), "\n")
	return line
}
