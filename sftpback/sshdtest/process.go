// SPDX-License-Identifier: Apache-2.0

package sshdtest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Kill kills the server with all its sessions at once, as a crash of its machine would, and returns when they are gone.
func (s *Server) Kill() {
	s.tb.Helper()
	s.mu.Lock()
	r := s.run
	s.run = nil
	s.mu.Unlock()
	if r == nil {
		return
	}
	s.signalTree(r.cmd.Process.Pid, syscall.SIGSTOP)
	s.signalTree(r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait() // it was killed
	<-r.ended
}

// Pause stops all processes of the server: connections stay open, and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	s.mu.Lock()
	r := s.run
	s.mu.Unlock()
	if r == nil {
		s.tb.Fatal("sshd is not running")
	}
	s.signalTree(r.cmd.Process.Pid, sig)
}

// Sessions lists the processes that serve SFTP now.
func (s *Server) Sessions() []int {
	s.mu.Lock()
	r := s.run
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	var pids []int
	for _, pid := range descendants(r.cmd.Process.Pid) {
		title, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err == nil && strings.Contains(string(title), subsystem) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signalTree signals a process and all below it, until no new ones turn up.
func (s *Server) signalTree(pid int, sig syscall.Signal) {
	s.tb.Helper()
	var done []int
	for {
		fresh := false
		for _, p := range append([]int{pid}, descendants(pid)...) {
			if slices.Contains(done, p) {
				continue
			}
			if err := syscall.Kill(p, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				s.tb.Errorf("signal %v to process %d: %v", sig, p, err)
			}
			done = append(done, p)
			fresh = true
		}
		if !fresh || sig == syscall.SIGKILL { // stopped before, a tree does not grow; killed, it falls apart
			return
		}
	}
}

// descendants lists the processes below pid.
func descendants(pid int) []int {
	children := make(map[int][]int)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): pid (comm) state ppid ...; comm may hold anything, so what counts is the last parenthesis.
		text := string(raw)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if len(fields) < 2 || err1 != nil {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for todo := children[pid]; len(todo) > 0; todo = todo[1:] {
		all = append(all, todo[0])
		todo = append(todo, children[todo[0]]...)
	}
	return all
}
