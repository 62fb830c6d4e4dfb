// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// child works on the spool in dir and prints what it is about to do, and what was confirmed. Every call of the file system counts
// down from steps, and with the last one the process kills itself: before the call when even is set, after it otherwise. Without
// steps somebody else kills it.
func child(dir string) {
	steps, _ := strconv.Atoi(os.Getenv("SPOOL_TEST_STEPS")) // 0 for none
	k := &killer{steps: steps, before: os.Getenv("SPOOL_TEST_BEFORE") != ""}
	s, err := openWith(Options{Dir: dir}, k.calls())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workers := 4
	if steps > 0 {
		workers = 1
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := 0; steps == 0 || i < 2; i++ {
				if err := childStep(s, fmt.Sprintf("%d.%d.%d", os.Getpid(), w, i)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	say("end")
}

// say is one system call: a line that was begun is a line that arrives.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// childStep commits a file, changes it, and removes every second one.
func childStep(s *Spool, name string) error {
	say("commit %s", name)
	w, err := s.Create(meta("/"+name), -1)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write([]byte(strings.Repeat(name, 100))); err != nil {
		return err
	}
	e, err := w.Commit(digest(strings.Repeat(name, 100)), nil)
	if err != nil {
		return err
	}
	say("committed %s", name)
	if _, err := s.Update(e.ID, func(e *Entry) error { e.State = Held; return nil }); err != nil {
		return err
	}
	say("held %s", name)
	if n := name[len(name)-1]; n%2 == 0 {
		say("remove %s", name)
		if err := s.Remove(e.ID); err != nil {
			return err
		}
		say("removed %s", name)
	}
	return nil
}

// killer is a process that ends in the middle of what it does.
type killer struct {
	mu     sync.Mutex
	steps  int
	before bool
}

func (k *killer) call(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps--
	if k.steps == 0 && k.before {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	do()
	if k.steps == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type killedFile struct {
	file
	k *killer
}

func (f killedFile) Write(p []byte) (n int, err error) {
	f.k.call(func() { n, err = f.file.Write(p) })
	return n, err
}
func (f killedFile) Sync() (err error)  { f.k.call(func() { err = f.file.Sync() }); return err }
func (f killedFile) Close() (err error) { f.k.call(func() { err = f.file.Close() }); return err }

func (k *killer) calls() calls {
	if k.steps == 0 {
		return system()
	}
	s := system()
	c := s
	c.create = func(path string) (f file, err error) {
		k.call(func() { f, err = s.create(path) })
		return killedFile{f, k}, err
	}
	c.open = func(path string) (f file, err error) {
		k.call(func() { f, err = s.open(path) })
		return killedFile{f, k}, err
	}
	c.rename = func(from, to string) (err error) { k.call(func() { err = s.rename(from, to) }); return err }
	c.remove = func(path string) (err error) { k.call(func() { err = s.remove(path) }); return err }
	c.mkdir = func(path string) (err error) { k.call(func() { err = s.mkdir(path) }); return err }
	return c
}

// told is what a child has said about its files.
type told map[string]map[string]bool

// runChild runs one until it kills itself, or is killed when it has said n lines. true says that it came to its end.
func (w told) runChild(t *testing.T, dir string, n int, env ...string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), "SPOOL_TEST_CHILD="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		verb, name, _ := strings.Cut(lines.Text(), " ")
		if verb == "end" {
			ended = true
		} else {
			if w[name] == nil {
				w[name] = map[string]bool{}
			}
			w[name][verb] = true
		}
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ended && (!ok || status.Signal() != syscall.SIGKILL) {
		t.Fatalf("the child was not killed: %v", err)
	}
	return ended
}

// check opens the spool that children have left and compares it with what they were told.
func (w told) check(t *testing.T, dir string) {
	t.Helper()
	s := open(t, Options{Dir: dir})
	if r := s.Recovered(); len(r.Damaged) > 0 {
		t.Errorf("damaged: %+v", r.Damaged)
	}
	there := map[string]bool{}
	for e := range s.All() {
		name := e.Path[1:]
		there[name] = true
		said := w[name]
		switch {
		case !said["commit"] || content(t, s, e.ID) != strings.Repeat(name, 100):
			t.Errorf("%s is there and is not what was sent", name)
		case said["removed"]:
			t.Errorf("%s was removed and is there", name)
		case said["held"] && e.State != Held:
			t.Errorf("%s was held and is %s", name, e.State)
		}
	}
	for name, said := range w {
		if said["committed"] && !said["remove"] && !there[name] {
			t.Errorf("%s was confirmed and is lost", name)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A process is killed before and after each call of the file system, and another one at the same call over what it has left.
func TestKillAtEveryStep(t *testing.T) {
	for _, before := range []string{"", "1"} {
		for steps := 1; ; steps++ {
			dir, w := fastDir(t), told{}
			env := []string{"SPOOL_TEST_STEPS=" + strconv.Itoa(steps), "SPOOL_TEST_BEFORE=" + before}
			ended := w.runChild(t, dir, 0, env...)
			w.runChild(t, dir, 0, env...)
			w.check(t, dir)
			if ended {
				t.Logf("%d steps", steps-1)
				break
			}
			if steps > 1000 {
				t.Fatal("it never comes to its end")
			}
		}
	}
}

// The same at random moments and under load.
func TestKillAtRandom(t *testing.T) {
	dir, w := fastDir(t), told{}
	for range 10 {
		w.runChild(t, dir, 1+rand.IntN(200))
		w.check(t, dir)
	}
	t.Logf("%d files", len(w))
}
