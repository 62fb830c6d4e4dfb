// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

func plenty() policy.Bound {
	return policy.Bound{Limits: policy.Limits{FilesPerHour: 1 << 40, BytesPerDay: 1 << 50}, Device: "d"}
}

// charge charges one file of n bytes and returns nil when that is durable.
func charge(s *Store, n int64) error {
	g, err := s.Begin([]policy.Bound{plenty()}, 0, n)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Take(n); err != nil {
		return err
	}
	g.Charge()
	if err := g.Durable(); err != nil {
		return err
	}
	g.Keep(n)
	return nil
}

// faulty is a disk of which one call fails: with the call not carried out, or carried out in part or whole.
type faulty struct {
	disk
	mu    sync.Mutex
	calls int
	fail  int // which one; 0 is none
	done  bool
}

func (f *faulty) strikes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.fail
}

func (f *faulty) system() disk {
	f.disk = realDisk()
	return disk{
		replace: func(path string, data []byte) error {
			if f.strikes() {
				if f.done {
					return errors.Join(syscall.EIO, f.replace(path, data))
				}
				return syscall.EIO
			}
			return f.replace(path, data)
		},
		open: func(path string) (appender, error) {
			if f.strikes() {
				return nil, syscall.EIO
			}
			a, err := f.disk.open(path)
			return &faultyFile{a, f}, err
		},
	}
}

type faultyFile struct {
	appender
	f *faulty
}

func (a *faultyFile) Write(p []byte) (int, error) {
	if !a.f.strikes() {
		return a.appender.Write(p)
	}
	if a.f.done {
		n, err := a.appender.Write(p[:len(p)/2])
		return n, errors.Join(syscall.EIO, err)
	}
	return 0, syscall.EIO
}

func (a *faultyFile) Sync() error {
	if a.f.strikes() {
		return syscall.EIO
	}
	return a.appender.Sync()
}

func (a *faultyFile) Close() error {
	err := a.appender.Close()
	if a.f.strikes() {
		return syscall.EIO
	}
	return err
}

// Each call of the disk fails once, done or not. What was said to be durable is counted by the store that goes on, by whoever reads
// beside it, and by the next start, as if the program had been killed at that moment; the next charge succeeds again.
func TestEveryCallFails(t *testing.T) {
	c := newClock()
	for fail := 1; ; fail++ {
		struck := false
		for _, done := range []bool{false, true} {
			dir := t.TempDir()
			f := &faulty{fail: fail, done: done}
			var troubles []error
			s, _, err := Open(dir, Options{Now: c.Now, disk: f.system(), OnTrouble: func(err error) { troubles = append(troubles, err) }})
			if err != nil {
				struck = true
				if !errors.Is(err, syscall.EIO) {
					t.Errorf("call %d: open says %v", fail, err)
				}
				continue
			}
			var sure int64
			failures := 0
			for range 6 {
				if err := charge(s, 100); err == nil {
					sure++
				} else if failures++; !errors.Is(err, syscall.EIO) {
					t.Errorf("call %d: %v", fail, err)
				}
				list, r, err := Read(dir, c.Now, plenty())
				if err != nil || r.Damaged != nil || list[0].Used < sure || list[1].Used < 100*sure {
					t.Fatalf("call %d done %v: killed now, %d charges of %d are known: %+v %v", fail, done, list[0].Used, sure, r, err)
				}
			}
			if n := used(t, s, plenty(), policy.FilesPerHour); n != sure || failures > 1 {
				t.Errorf("call %d: %d are counted, %d are sure, %d failed", fail, n, sure, failures)
			}
			_ = s.Close()
			if failures > 0 {
				struck = true
				if len(troubles) != 2 || troubles[0] == nil || troubles[1] != nil {
					t.Errorf("call %d: told of %v", fail, troubles)
				}
			}
			again, r, err := Open(dir, Options{Now: c.Now})
			if err != nil || r.Damaged != nil {
				t.Fatalf("call %d: the next start: %+v %v", fail, r, err)
			}
			n := used(t, again, plenty(), policy.FilesPerHour)
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			if n < sure || n > sure+1 {
				t.Errorf("call %d: %d are counted after the next start, %d are sure", fail, n, sure)
			}
		}
		if !struck && fail > 12 {
			return
		}
		if fail > 100 {
			t.Fatal("it always strikes")
		}
	}
}

// A crash can leave any part of the last frame. What stands before it counts, and nothing is called damaged.
func TestTornAtEveryByte(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c.Now)
	var ends []int // of the journal after each charge
	for range 3 {
		ends = append(ends, len(journal(t, dir)))
		if err := charge(s, 100); err != nil {
			t.Fatal(err)
		}
	}
	text := journal(t, dir)
	for cut := ends[0]; cut < len(text); cut++ {
		torn := t.TempDir()
		putJournal(t, torn, text[:cut])
		whole := int64(bytes.Count(text[ends[0]:cut], []byte("\n")))
		for try := range 2 { // the second start finds what the first has made of it
			s, r, err := Open(torn, Options{Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			n := used(t, s, plenty(), policy.FilesPerHour)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// A frame that lacks nothing but its newline is whole.
			if n != whole && !(n == whole+1 && text[cut] == '\n') {
				t.Fatalf("cut at %d: %d charges are counted, %d frames are whole", cut, n, whole)
			}
			if r.Damaged != nil || try == 1 && r.Torn {
				t.Fatalf("cut at %d, start %d: %+v", cut, try, r)
			}
		}
	}
}

// What no crash leaves is damage: it is said, the file is kept, all that can be read counts, and the next start finds a good journal.
func TestDamage(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c.Now)
	for range 4 {
		if err := charge(s, 100); err != nil {
			t.Fatal(err)
		}
	}
	text := journal(t, dir)
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[:len(lines)-1]
	flipped := func(i int) []byte {
		changed := bytes.Clone(text)
		changed[len(bytes.Join(lines[:i], nil))+len(lines[i])/2] ^= 4
		return changed
	}
	for name, tt := range map[string]struct {
		text []byte
		want int64
	}{
		"a bit in the snapshot":   {flipped(0), 4},
		"a bit in the first":      {flipped(1), 3},
		"a bit in the third":      {flipped(3), 3},
		"two lines at the end":    {append(bytes.Clone(text), "x\ny\n"...), 4},
		"nothing":                 {nil, 0},
		"no snapshot":             {bytes.Join(lines[1:], nil), 3},
		"two snapshots":           {append(bytes.Clone(text), append(bytes.Clone(lines[0]), lines[1]...)...), 5},
		"something else entirely": {[]byte(strings.Repeat("\x00", 4096)), 0},
	} {
		bad := t.TempDir()
		putJournal(t, bad, tt.text)
		s, r, err := Open(bad, Options{Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		if n := used(t, s, plenty(), policy.FilesPerHour); r.Damaged == nil || !strings.Contains(r.Damaged.Error(), "journal") || n != tt.want {
			t.Errorf("%s: %d count, want %d; %v", name, n, tt.want, r.Damaged)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		kept, err := os.ReadFile(filepath.Join(bad, damagedFile))
		if err != nil || !bytes.Equal(kept, tt.text) {
			t.Errorf("%s: what is kept has %d bytes, %v", name, len(kept), err)
		}
		if n := used(t, open(t, bad, c.Now), plenty(), policy.FilesPerHour); n != tt.want {
			t.Errorf("%s: %d count after the next start", name, n)
		}
	}
}

// A journal of a later version is refused and left alone.
func TestLaterVersion(t *testing.T) {
	line, err := frame{Version: version + 1}.line()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	putJournal(t, dir, line)
	if _, _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("open says %v", err)
	}
	if !bytes.Equal(journal(t, dir), line) {
		t.Error("the journal was changed")
	}
}

// The journal does not grow with the number of transfers.
func TestJournalIsBounded(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c.Now)
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			for range 200 {
				if err := charge(s, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(journal(t, dir)); n > 2*least {
		t.Errorf("%d bytes after 10000 transfers", n)
	}
	if n := used(t, s, plenty(), policy.FilesPerHour); n != 10000 {
		t.Errorf("%d are counted", n)
	}
	list, _, err := Read(dir, c.Now, plenty())
	if err != nil || list[0].Used != 10000 || list[1].Used != 10000 {
		t.Errorf("on disk: %+v %v", list, err)
	}
}

// A process is killed while it charges, again and again on the same store: nothing is forgotten that was said to be durable.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var sure int64
	for run := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "QUOTA_TEST_CHILD="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			sure++
			if n++; n == 1+run*9 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || n < 1+run*9 {
			t.Fatalf("the child ended by itself after %d charges: %v", n, err)
		}
		list, r, err := Read(dir, time.Now, plenty())
		if err != nil || r.Damaged != nil || list[0].Used < sure || list[1].Used < 100*sure {
			t.Fatalf("run %d: %d charges were durable, %+v are known; %+v %v", run, sure, list, r, err)
		}
	}
}

// child charges from several goroutines for ever and prints a line after each charge that is durable.
func child() bool {
	dir := os.Getenv("QUOTA_TEST_CHILD")
	if dir == "" {
		return false
	}
	s, _, err := Open(dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 8 {
		go func() {
			for {
				if err := charge(s, 100); err != nil {
					os.Exit(1)
				}
				if _, err := os.Stdout.WriteString("charged\n"); err != nil {
					os.Exit(1)
				}
			}
		}()
	}
	select {}
}

func journal(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putJournal(t testing.TB, dir string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, journalFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// flushes counts the flushes of a journal.
type flushes struct {
	appender
	mu sync.Mutex
	n  int
}

func (f *flushes) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.appender.Sync()
}

func (f *flushes) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// No charge is called durable before the journal was flushed behind it.
func TestDurableIsFlushed(t *testing.T) {
	d := realDisk()
	var f *flushes
	opened := d.open
	d.open = func(path string) (appender, error) {
		a, err := opened(path)
		f = &flushes{appender: a}
		return f, err
	}
	s, _, err := Open(t.TempDir(), Options{disk: d})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		before := f.count()
		if err := charge(s, 1); err != nil {
			t.Fatal(err)
		}
		if f.count() == before {
			t.Error("a charge is durable, and nothing was flushed")
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
