// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// task is one measurement: a row, and which files it is about.
type task struct {
	row
	root    string // the server's directory, on this machine
	dir     string // the directory on the server, as the systems see it
	content []byte // of every file
	turn    int    // counts the measurements that store files: no two use the same names, which a system may remember
}

// file is the name of the n-th file.
func (t task) file(n int) string { return fmt.Sprintf("file-%d-%05d.dat", t.turn, n) }

func (t task) remote(n int) string { return t.dir + "/" + t.file(n) }
func (t task) local(n int) string  { return filepath.Join(t.root, t.dir, t.file(n)) }

// system is what takes its turn.
type system interface {
	// measure carries out a task. Nothing of what it prepares counts.
	measure(t task) (sample, error)
}

// ftpSystem is a server that speaks FTP.
type ftpSystem struct {
	name string
	addr string
	proc process
}

func (f *ftpSystem) measure(t task) (sample, error) {
	if t.kind == idle {
		return f.holdIdle(t)
	}
	clients, err := f.connect(t.sessions)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	if err != nil {
		return sample{}, err
	}
	if err := f.proc.forgetPeak(); err != nil {
		return sample{}, err
	}
	before, err := f.proc.cpu()
	if err != nil {
		return sample{}, err
	}
	s, err := work(t, clients)
	if err != nil {
		return sample{}, err
	}
	after, err1 := f.proc.cpu()
	peak, err2 := f.proc.peak()
	s.cpu, s.peak = after-before, peak
	return s, errors.Join(err1, err2)
}

// connect opens sessions, a few at a time.
func (f *ftpSystem) connect(n int) ([]*client, error) {
	clients := make([]*client, 0, n)
	for range n {
		c, err := login(f.addr, userName, password)
		if err != nil {
			return clients, fmt.Errorf("%s: session %d: %w", f.name, len(clients)+1, err)
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// work has all clients work on the task's files until none is left.
func work(t task, clients []*client) (s sample, err error) {
	count := t.files
	if t.kind == list {
		count = listings
	}
	each := make([]time.Duration, count)
	errs := make([]error, len(clients))
	var next atomic.Int64
	var working sync.WaitGroup
	gun := make(chan struct{})
	for i, c := range clients {
		working.Go(func() {
			<-gun
			for n := int(next.Add(1)) - 1; n < count && errs[i] == nil; n = int(next.Add(1)) - 1 {
				begun := time.Now()
				errs[i] = c.do(t, n)
				each[n] = time.Since(begun)
			}
		})
	}
	machine, err := machineUsage()
	begun := time.Now()
	close(gun)
	working.Wait()
	s = sample{elapsed: time.Since(begun), files: count, bytes: int64(count) * int64(t.size), each: each}
	if err != nil {
		return s, err
	}
	after, err := machineUsage()
	s.machine = after.since(machine)
	return s, errors.Join(append(errs, err)...)
}

// listings is how often a directory is listed in one measurement.
const listings = 5

// do is the n-th piece of work.
func (c *client) do(t task, n int) error {
	switch t.kind {
	case store:
		return c.store(t.remote(n), t.content, t.announced)
	case fetch:
		return c.fetch(t.remote(n), t.content)
	case list:
		lines, err := c.list(t.dir)
		if err == nil && lines != t.files {
			err = fmt.Errorf("LIST of %d entries has %d lines", t.files, lines)
		}
		return err
	default:
		return fmt.Errorf("a device cannot %s", t.kind)
	}
}

// holdIdle opens sessions and sees how much memory the process needs more than before.
func (f *ftpSystem) holdIdle(t task) (sample, error) {
	before, err := f.proc.resident()
	if err != nil {
		return sample{}, err
	}
	clients, err := f.connect(t.sessions)
	defer func() {
		for _, c := range clients {
			_ = c.conn.Close()
		}
	}()
	if err != nil {
		return sample{}, err
	}
	after, err := f.proc.resident()
	return sample{value: float64(after-before) / float64(t.sessions)}, err
}

// measure has sftp do one file after another.
func (s *sftpSystem) measure(t task) (sample, error) {
	source := filepath.Join(s.dir, "source")
	if err := os.WriteFile(source, t.content, 0o600); err != nil {
		return sample{}, err
	}
	count := t.files
	if t.kind == list {
		count = listings
	}
	procs := s.procs()
	before, err := totalCPU(procs)
	if err != nil {
		return sample{}, err
	}
	machine, err := machineUsage()
	if err != nil {
		return sample{}, err
	}
	each := make([]time.Duration, count)
	begun := time.Now()
	for n := range count {
		since := time.Now()
		if err := s.do(t, n, source); err != nil {
			return sample{}, err
		}
		each[n] = time.Since(since)
	}
	result := sample{elapsed: time.Since(begun), files: count, bytes: int64(count) * int64(t.size), each: each}
	after, err1 := totalCPU(procs)
	used, err2 := machineUsage()
	result.cpu, result.machine = after-before, used.since(machine)
	return result, errors.Join(err1, err2, s.check(t, count))
}

func (s *sftpSystem) do(t task, n int, source string) error {
	err := s.command(map[kind]string{
		store: fmt.Sprintf("put %s %s", source, t.local(n)),
		fetch: fmt.Sprintf("get %s %s", t.local(n), filepath.Join(s.dir, t.file(n))),
		list:  "ls -l " + filepath.Join(t.root, t.dir),
	}[t.kind])
	if err == nil && t.kind == list && s.lines < t.files {
		err = fmt.Errorf("ls of %d entries has %d lines", t.files, s.lines)
	}
	return err
}

// check looks at what was fetched, and removes it.
func (s *sftpSystem) check(t task, count int) error {
	if t.kind != fetch {
		return nil
	}
	for n := range count {
		name := filepath.Join(s.dir, t.file(n))
		if err := errors.Join(sameContent(name, t.content), os.Remove(name)); err != nil {
			return err
		}
	}
	return nil
}

func totalCPU(procs []process) (total time.Duration, err error) {
	for _, p := range procs {
		c, err := p.cpu()
		if err != nil {
			return 0, err
		}
		total += c
	}
	return total, nil
}
