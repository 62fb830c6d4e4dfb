// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// work does one of everything. It goes on after errors, as devices do.
func work(s *Spool, l *ledger) error {
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	a, err := l.commit(s, "a", "the first file")
	do(err)
	b, err := l.commit(s, "b", strings.Repeat("the second file ", 300))
	do(err)
	c, err := l.commit(s, "c", "")
	do(err)
	if a != "" {
		do(l.update(s, a))
		do(l.update(s, a))
	}
	if b != "" && c != "" {
		do(l.update(s, b, c))
		do(l.remove(s, b))
	}
	d, err := l.commit(s, "d", "the last file")
	do(err)
	if a != "" && d != "" {
		do(l.remove(s, a, d))
	}
	_, err = l.commit(s, "e", "one more")
	do(err)
	return errors.Join(errs...)
}

// start opens a Spool on a disk that keeps book from here on.
func start(t testing.TB, o Options, prepare func(*disk)) (*Spool, *disk) {
	t.Helper()
	s, err := Open(o) // makes what every spool has
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d := newDisk(t, o.Dir)
	if s, err = openWith(o, d.calls()); err != nil {
		t.Fatal(err)
	}
	if s.keys.current != nil { // its file was not made with the disk's calls
		n := newDisk(t, o.Dir)
		d.durable[s.keys.path(s.keys.current.number)] = n.live[s.keys.path(s.keys.current.number)]
	}
	if prepare != nil {
		prepare(d)
	}
	return s, d
}

// moment is what the world is like after one call.
type moment struct {
	op     string
	images []image
	ledger *ledger
}

// inspect opens what a power cut has left, twice, and compares it with what was promised.
func (m moment) inspect(t *testing.T, n int, o Options) {
	t.Helper()
	for i, img := range m.images {
		at := o
		at.Dir = fastDir(t)
		img.write(t, o.Dir, at.Dir)
		for range 2 { // what recovery has done is as good as what was there before
			s, err := Open(at)
			if err != nil {
				t.Fatalf("after call %d (%s), image %d: %v\n%v", n, m.op, i, err, img)
			}
			if err := m.ledger.check(t, s); err != nil {
				t.Errorf("after call %d (%s), image %d:\n%v\n%v", n, m.op, i, err, img)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// The power fails after each call, and whatever was not fsynced is lost, kept or cut short.
func TestPowerLoss(t *testing.T) {
	for name, o := range map[string]Options{"clear": {Dir: fastDir(t)}, "encrypted": secret(t, fastDir(t))} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			var moments []moment
			s, _ := start(t, o, func(d *disk) {
				d.after = func(_ int, op string) {
					switch op {
					case "stat", "fstat", "statfs", "open", "close", "read", "readdir":
						return
					}
					moments = append(moments, moment{op, d.images(5), l.clone()})
				}
			})
			if err := work(s, l); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for n, m := range moments {
				m.inspect(t, n, o)
			}
			t.Logf("%d moments, %d power cuts", len(moments), len(moments)*len(moments[0].images))
		})
	}
}

// The same with many who commit, change and remove at once and share the fsyncs of directories.
func TestPowerLossUnderLoad(t *testing.T) {
	o := Options{Dir: fastDir(t)}
	l := newLedger()
	var moments []moment
	s, _ := start(t, o, func(d *disk) {
		d.after = func(n int, op string) {
			if n%5 == 0 {
				moments = append(moments, moment{op, d.images(1), l.clone()})
			}
		}
	})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 4 {
				id, err := l.commit(s, fmt.Sprintf("%d-%d", w, i), strings.Repeat("x", 100*w+i))
				if err == nil && i%2 == 0 {
					err = l.update(s, id)
				}
				if err == nil && i%3 == 0 {
					err = l.remove(s, id)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.check(t, s); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for n, m := range moments {
		m.inspect(t, n, o)
	}
}

// Each call fails in each way: not done, and done all the same. What was confirmed is there, in the running Spool, after the next
// Open, and after a power cut.
func TestEveryCallFails(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v done %v", errno, done), func(t *testing.T) {
				for n := 1; ; n++ {
					if !failCall(t, n, errno, done) {
						break
					}
				}
			})
		}
	}
}

// failCall lets the n-th call fail; false says that there are not as many.
func failCall(t *testing.T, n int, errno syscall.Errno, done bool) bool {
	o := Options{Dir: fastDir(t)}
	l := newLedger()
	s, d := start(t, o, func(d *disk) { d.failAt, d.done, d.err = d.n+n, done, fmt.Errorf("injected: %w", errno) })
	err := work(s, l)
	if d.failed == "" {
		if err != nil {
			t.Error(err)
		}
		return s.Close() != nil
	}
	where := fmt.Sprintf("call %d, %q", n, d.failed)
	if err != nil && !errors.Is(err, errno) {
		t.Errorf("%s: the error says %v", where, err)
	}
	quiet := d.failed == "remove" || d.failed == "close" // what is left of a temporary is the next Open's
	if err == nil && !quiet {
		t.Errorf("%s failed, and nobody was told", where)
	}
	if s.Err() == nil {
		if err := l.check(t, s); err != nil {
			t.Errorf("%s: while it goes on:\n%v", where, err)
		}
	}
	m := moment{d.failed, d.images(3), l.clone()}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	m.inspect(t, n, o)
	again, err := Open(o)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if err := l.check(t, again); err != nil {
		t.Errorf("%s: after the next start:\n%v", where, err)
	}
	left, err := filepath.Glob(filepath.Join(o.Dir, incomingDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%s: left behind: %q, %v", where, left, err)
	}
	return again.Close() == nil
}
