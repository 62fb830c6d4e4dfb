// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// signed opens the log in dir with a key of its own.
func signed(t testing.TB, dir string, opts Options) *Log {
	t.Helper()
	opts.Key = filepath.Join(dir, "checkpoint.key")
	l, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// fill records n commands and closes the log.
func fillLog(t testing.TB, dir string, n int) {
	t.Helper()
	l := signed(t, dir, Options{})
	for i := range n {
		r := sample()
		r.Session = strconv.Itoa(i)
		if err := l.Note(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// The edge of the tree is what the reference implementation computes from all hashes.
func TestTree(t *testing.T) {
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, i := range indexes {
			list = append(list, all[i])
		}
		return list, nil
	})
	var edge tree
	seen := map[int64]tlog.Hash{}
	see := func(level int, n int64, h tlog.Hash) { seen[tlog.StoredHashIndex(level, n)] = h }
	for n := range int64(300) {
		data := []byte(strconv.FormatInt(n, 10))
		hashes, err := tlog.StoredHashes(n, data, reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hashes...)
		edge.add(recordHash(data), see)
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil || edge.root() != want {
			t.Fatalf("%d records: root %v, want %v (%v)", n+1, edge.root(), want, err)
		}
		again, err := parseTree(edge.size, edge.String())
		if err != nil || again.root() != want {
			t.Fatalf("%d records: written and read again the root is %v (%v)", n+1, again.root(), err)
		}
		again.tell(func(level int, n int64, h tlog.Hash) {
			if all[tlog.StoredHashIndex(level, n)] != h {
				t.Errorf("%d records: another hash at level %d, %d", edge.size, level, n)
			}
		})
	}
	for i, h := range all {
		if seen[int64(i)] != h {
			t.Errorf("stored hash %d was not shown", i)
		}
	}
	if _, err := parseTree(3, edge.String()); err == nil {
		t.Error("a tree with too many subtrees was accepted")
	}
}

func TestVerifyIntact(t *testing.T) {
	dir := t.TempDir()
	fillLog(t, dir, 100)
	fillLog(t, dir, 50)
	var told int64
	v, err := Verify(t.Context(), dir, VerifyOptions{Progress: func(done, _ int64) { told = done }})
	if err != nil {
		t.Fatal(err)
	}
	if v.First != 1 || v.Last != 152 || v.Checkpoints != 2 || v.Covered != 152 || v.Segments != 1 || told != 0 {
		t.Errorf("found %+v", v)
	}
	list := records(t, dir)
	if list[100].Event != LogCheckpoint || list[151].Event != LogCheckpoint || list[0].Prev != strings.Repeat("0", 64) {
		t.Errorf("the log has %+v and %+v", list[100], list[151])
	}
	if v, err := Verify(t.Context(), t.TempDir(), VerifyOptions{}); err != nil || v.Last != 0 {
		t.Errorf("an empty directory: %+v, %v", v, err)
	}
}

// tampering is one change of a log, and of a line where it is about whole lines.
type tampering struct {
	name  string
	do    func(r *rand.Rand, text []byte) []byte
	lines bool
}

func tamperings() []tampering {
	lines := func(do func(r *rand.Rand, l []string) []string) func(*rand.Rand, []byte) []byte {
		return func(r *rand.Rand, text []byte) []byte {
			return []byte(strings.Join(do(r, strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")), ""))
		}
	}
	whole := func(l []string) []string { // SplitAfter leaves the last one without its newline
		l[len(l)-1] += "\n"
		return l
	}
	return []tampering{
		{"flip a bit", func(r *rand.Rand, b []byte) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b }, false},
		{"cut bytes", func(r *rand.Rand, b []byte) []byte {
			at := r.IntN(len(b))
			return slices.Delete(b, at, at+1+r.IntN(min(300, len(b)-at)))
		}, false},
		{"cut the end", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }, false},
		{"insert bytes", func(r *rand.Rand, b []byte) []byte {
			return slices.Insert(b, r.IntN(len(b)+1), []byte("\n{} ")[:1+r.IntN(4)]...)
		}, false},
		{"swap records", lines(func(r *rand.Rand, l []string) []string {
			i := r.IntN(len(l) - 1)
			l = whole(l)
			l[i], l[i+1] = l[i+1], l[i]
			return l
		}), true},
		{"remove a record", lines(func(r *rand.Rand, l []string) []string {
			i := r.IntN(len(l))
			return slices.Delete(whole(l), i, i+1)
		}), true},
		{"repeat a record", lines(func(r *rand.Rand, l []string) []string {
			i := r.IntN(len(l))
			return slices.Insert(whole(l), i, l[i])
		}), true},
		{"move a record", lines(func(r *rand.Rand, l []string) []string {
			l = whole(l)
			i := r.IntN(len(l) - 1)
			moved := l[i]
			l = slices.Delete(l, i, i+1)
			return slices.Insert(l, i+1+r.IntN(len(l)-i), moved)
		}), true},
		{"insert a record", lines(func(r *rand.Rand, l []string) []string {
			c := chain{}
			return slices.Insert(whole(l), r.IntN(len(l)), string(c.append(nil, c.time, []byte(`"event":"command"}`+"\n"))))
		}), true},
	}
}

// Whatever is changed in a log, verify finds it.
func TestVerifyFindsEveryChange(t *testing.T) {
	source := t.TempDir()
	fillLog(t, source, 30)
	original := []byte(read(t, filepath.Join(source, first)))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	edits, placed := 0, 0
	for _, change := range tamperings() {
		for range 300 {
			text := change.do(random, slices.Clone(original))
			if slices.Equal(text, original) {
				continue
			}
			edits++
			write(t, filepath.Join(dir, first), string(text))
			_, err := Verify(t.Context(), dir, VerifyOptions{})
			if err == nil {
				t.Fatalf("%s: not found in\n%s", change.name, text)
			}
			var line *LineError
			switch {
			case errors.As(err, &line):
				placed++
				checkPlace(t, change.name, string(original), string(text), line)
			case !errors.Is(err, errCut) && !errors.Is(err, errRoot):
				t.Fatalf("%s: %v", change.name, err)
			}
		}
	}
	t.Logf("%d changes found, %d of them at a line", edits, placed)
}

// checkPlace holds the line that is named to the first one that differs: it is that one, or the next, whose prev tells of it.
func checkPlace(t *testing.T, name, original, text string, e *LineError) {
	t.Helper()
	was, is := strings.SplitAfter(original, "\n"), strings.SplitAfter(text, "\n")
	differs := 0
	for differs < len(was) && differs < len(is) && was[differs] == is[differs] {
		differs++
	}
	if e.Line < differs+1 || e.Line > differs+2 {
		t.Errorf("%s: the first change is in line %d, and verify names %v", name, differs+1, e)
	}
}

// Who rewrites the whole log, with a chain and checkpoints that are right, even with the gateway's own key, is found by a checkpoint
// that had left before.
func TestRewrittenLog(t *testing.T) {
	dir := t.TempDir()
	fillLog(t, dir, 20)
	key := read(t, filepath.Join(dir, "checkpoint.pub"))
	kept := []byte(read(t, filepath.Join(dir, "checkpoint")))
	list := records(t, dir)
	fillLog(t, dir, 5) // the log goes on, as it should
	if v, err := Verify(t.Context(), dir, VerifyOptions{Key: key, Checkpoint: kept}); err != nil || v.Outside != 21 {
		t.Fatalf("the log that goes on: %+v, %v", v, err)
	}
	list[7].Args = "/something/else"
	for _, name := range []string{first, "checkpoint"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	l := signed(t, dir, Options{})
	for _, r := range list[:20] {
		if err := l.Note(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Fatalf("a log that was rewritten with its own key is intact in itself: %v", err)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Key: key, Checkpoint: kept}); !errors.Is(err, errRoot) {
		t.Errorf("the old checkpoint says %v", err)
	}
}

// A log that is shorter than its last checkpoint is not continued.
func TestCutLogIsRefused(t *testing.T) {
	dir := t.TempDir()
	fillLog(t, dir, 5)
	lines := strings.SplitAfter(read(t, filepath.Join(dir, first)), "\n")
	write(t, filepath.Join(dir, first), strings.Join(lines[:5], ""))
	if _, err := Open(dir, Options{Key: filepath.Join(dir, "checkpoint.key")}); !errors.Is(err, errCut) {
		t.Errorf("Open: %v", err)
	}
}

// A log that is being written is intact, whatever the moment.
func TestVerifyWhileWriting(t *testing.T) {
	dir := t.TempDir()
	l := signed(t, dir, Options{})
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := l.Note(sample()); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	for range 5 {
		if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	fillLog(t, dir, 1)
	secret, public := filepath.Join(dir, "checkpoint.key"), filepath.Join(dir, "checkpoint.pub")
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info.Mode(), err)
	}
	was := read(t, public)
	if err := os.Remove(public); err != nil {
		t.Fatal(err)
	}
	fillLog(t, dir, 1)
	if read(t, public) != was {
		t.Error("the public half has changed")
	}
	other := t.TempDir()
	fillLog(t, other, 1)
	for name, content := range map[string]string{"another": read(t, filepath.Join(other, "checkpoint.key")), "none": "", "garbage": "PRIVATE+KEY"} {
		write(t, secret, content)
		if _, err := Open(dir, Options{Key: secret}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := Open(dir, Options{Key: filepath.Join(dir, "gone")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key that is gone: %v", err)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Key: read(t, filepath.Join(other, "checkpoint.pub"))}); err == nil {
		t.Error("a checkpoint of another log was accepted")
	}
}

// Where a log is kept as evidence and another begun, the key goes with the old one: the error says so, and a key is made then.
func TestKeyOfAnotherLog(t *testing.T) {
	old, dir := t.TempDir(), t.TempDir()
	fillLog(t, old, 1)
	state := filepath.Join(t.TempDir(), "checkpoint.key")
	write(t, state, read(t, filepath.Join(old, "checkpoint.key")))
	if _, err := Open(dir, Options{Key: state}); err == nil || !strings.Contains(err.Error(), "move the key to the log that it belongs to") {
		t.Errorf("the key of another log: %v", err)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir, Options{Key: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if read(t, state) == read(t, filepath.Join(old, "checkpoint.key")) {
		t.Error("both logs have one key")
	}
}
