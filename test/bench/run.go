// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// systems are the programs that are measured.
type systems struct {
	ftpgw  string // path of the program
	rclone string // path of the program, or "" where there is none
}

// outcome is what came of one row.
type outcome struct {
	row
	samples map[string][]sample // by system, one for each round
	missing string              // why the gateway could not be measured
}

// turns are the systems of one row, in the order in which they take turns.
type turns struct {
	names   []string
	systems map[string]system
}

// run measures a row: every system that can take part, in turn, in each round.
func (s *systems) run(tb testing.TB, server *sshdtest.Server, r row, rounds int) outcome {
	tb.Helper()
	o := outcome{row: r, samples: make(map[string][]sample)}
	if r.rounds > 0 {
		rounds = r.rounds
	}
	if r.kind == start {
		for range rounds {
			o.samples[gatewayName] = append(o.samples[gatewayName], s.startUp(tb, reach(tb, server, r.link), r))
		}
		return o
	}
	t := newTask(tb, server, r)
	defer t.remove(tb)
	who, err := s.turns(tb, reach(tb, server, r.link), r)
	if miss := (*unavailable)(nil); errors.As(err, &miss) {
		o.missing = miss.reason
		return o
	}
	for round := range rounds {
		for _, name := range who.names {
			switch {
			case r.kind == store:
				t.turn++
			case r.unseen:
				t.rename(tb)
			}
			sample, err := t.measure(who.systems[name])
			if err != nil {
				tb.Errorf("%s: %s, round %d: %v", r.name, name, round+1, err)
				return o
			}
			o.samples[name] = append(o.samples[name], sample)
		}
	}
	return o
}

// turns starts the systems of a row.
func (s *systems) turns(tb testing.TB, to far, r row) (turns, error) {
	who := turns{systems: make(map[string]system)}
	gateway, err := s.startGateway(tb, to, r)
	if err != nil {
		return who, err
	}
	who.add(gatewayName, gateway)
	for _, peer := range r.peers {
		switch {
		case peer == sftpName:
			who.add(peer, startSFTP(tb, to))
		case s.rclone != "":
			who.add(peer, s.startRclone(tb, to))
		}
	}
	return who, nil
}

func (w *turns) add(name string, s system) {
	w.names = append(w.names, name)
	w.systems[name] = s
}

// newTask makes the directory that a row works in, with what is to be fetched or listed.
func newTask(tb testing.TB, server *sshdtest.Server, r row) task {
	tb.Helper()
	t := task{row: r, root: server.Root, dir: "/" + r.name, content: make([]byte, r.size)}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(t.content) // it never fails; what can be compressed would prove nothing
	if err := os.Mkdir(filepath.Join(t.root, t.dir), 0o755); err != nil {
		tb.Fatal(err)
	}
	if r.kind == fetch || r.kind == list {
		for n := range r.files {
			if err := os.WriteFile(t.local(n), t.content, 0o644); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return t
}

// rename gives the files that are to be fetched names under which nobody has seen them.
func (t *task) rename(tb testing.TB) {
	next := *t
	next.turn++
	for n := range t.files {
		if err := os.Rename(t.local(n), next.local(n)); err != nil {
			tb.Fatal(err)
		}
	}
	*t = next
}

// remove makes room again. Small files stay until the end of the run: ext4 takes no inode that was freed in the last minute as long as
// there are others, and looks at each of them whenever a file is made, so that what was removed for one row would be paid for by the next.
func (t task) remove(tb testing.TB) {
	if t.small {
		return
	}
	if err := os.RemoveAll(filepath.Join(t.root, t.dir)); err != nil {
		tb.Error(err)
	}
}

// measure has one system do the task, and looks at what has come of it. What is still to be written to the disk for the one before is
// not this one's affair.
func (t task) measure(s system) (sample, error) {
	unix.Sync()
	got, err := s.measure(t)
	if err != nil || t.kind != store {
		return got, err
	}
	for n := range t.files {
		if t.spooled {
			awaitFile(t.local(n)) // it comes across when it can; if it does not, the next line says so
		}
		if err := sameContent(t.local(n), t.content); err != nil {
			return got, err
		}
		if t.small {
			continue // see remove
		}
		if err := os.Remove(t.local(n)); err != nil {
			return got, err
		}
	}
	return got, nil
}

// awaitFile returns when there is such a file, or when it is too late.
func awaitFile(name string) {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
	}
}

// sameContent reports a file that does not hold what it must.
func sameContent(name string, want []byte) error {
	got, err := os.ReadFile(name)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: the content is wrong (%d bytes of %d)", name, len(got), len(want))
	}
	return err
}

// startUp measures from the start of the process to the greeting of a device that has been trying since.
func (s *systems) startUp(tb testing.TB, to far, r row) sample {
	tb.Helper()
	config, addr := writeGateway(tb, to, r)
	p := launch(tb, s.ftpgw, "serve", "--config", config)
	for {
		c, err := greet(addr)
		if err == nil {
			took := time.Since(p.begun)
			c.close()
			p.stop()
			return sample{value: milliseconds(took)}
		}
		select {
		case <-time.After(time.Millisecond):
		case <-p.ended:
			tb.Fatalf("the gateway has ended: %s", drain(p.said))
		}
	}
}
