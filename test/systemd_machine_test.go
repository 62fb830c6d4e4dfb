// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a system of its own on this kernel, with systemd as its PID 1: see testdata/systemd/boot.sh. Its network has the addresses of
// configs/substation.hcl, all at its loopback interface, and an SFTP server behind one of them.
type machine struct {
	t      testing.TB
	share  string // a directory of this machine that is /share in there
	init   *exec.Cmd
	output *bytes.Buffer // of init and of what it has started; read it when ended is closed
	ended  chan struct{} // closed when no process is left
}

// bootMachine starts a machine that runs until the test ends, however it ends. The test is skipped where this process may not make one.
func bootMachine(t testing.TB) *machine {
	t.Helper()
	need(t, "systemd-analyze", "sshd", "ssh-keygen", "ssh-keyscan", "curl", "ip", "unshare", "nsenter", "setpriv", "mount", "pivot_root")
	if os.Getuid() != 0 {
		cannot(t, "needs root, to boot systemd in namespaces")
	}
	m := &machine{t: t, output: new(bytes.Buffer), share: t.TempDir(), ended: make(chan struct{})}
	group := m.controlGroup()
	defer group.Close()
	m.tether()
	up := m.listen()
	m.init = exec.Command("testdata/systemd/boot.sh", t.TempDir(), m.share)
	m.init.Stdout, m.init.Stderr = m.output, m.output
	m.init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
		Setsid: true,
	}
	if err := m.init.Start(); err != nil {
		_ = up.Close()
		cannot(t, "this process may not make namespaces, or put a process into a control group: %v", err)
	}
	go func() {
		defer close(m.ended)
		_ = m.init.Wait() // it is killed
		_ = up.Close()
	}()
	t.Cleanup(m.kill)
	m.awaitReady(up)
	return m
}

// controlGroup makes a group for all processes of the machine.
func (m *machine) controlGroup() *os.File {
	m.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		m.t.Fatal(err)
	}
	hierarchy := ""
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			hierarchy = fields[1]
		}
	}
	if hierarchy == "" {
		cannot(m.t, "here are no control groups of version 2")
	}
	dir, err := os.MkdirTemp(hierarchy, "ftpgw-test-")
	if err != nil {
		cannot(m.t, "this process may not make control groups: %v", err)
	}
	m.t.Cleanup(func() { m.removeGroups(dir) })
	f, err := os.Open(dir)
	if err != nil {
		m.t.Fatal(err)
	}
	return f
}

// removeGroups removes a control group with those below it, whose processes have ended.
func (m *machine) removeGroups(dir string) {
	m.t.Helper()
	var groups []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	}); err != nil {
		m.t.Error(err)
	}
	slices.Reverse(groups)
	for _, group := range groups {
		if err := unix.Rmdir(group); err != nil {
			m.t.Errorf("remove the control group %s: %v", group, err)
		}
	}
}

// tether makes the FIFO that this process holds, so that the machine ends with it.
func (m *machine) tether() {
	m.t.Helper()
	path := filepath.Join(m.share, "tether")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		m.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // which waits for no reader
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = f.Close() })
}

// listen opens the socket at which the machine says that it is up (sd_notify(3)).
func (m *machine) listen() *net.UnixConn {
	m.t.Helper()
	up, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.share, "notify"), Net: "unixgram"})
	if err != nil {
		m.t.Fatal(err)
	}
	return up
}

func (m *machine) awaitReady(up *net.UnixConn) {
	m.t.Helper()
	if err := up.SetReadDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, net.ErrClosed) {
		m.t.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		n, err := up.Read(b)
		if err != nil {
			m.kill()
			if text := m.output.String(); strings.Contains(text, "not permitted") || strings.Contains(text, "denied") {
				cannot(m.t, "this process may not boot systemd: %s", text)
			}
			m.t.Fatalf("systemd is not up: %v\n%s", err, m.output.String())
		}
		if slices.Contains(strings.Split(string(b[:n]), "\n"), "READY=1") {
			return
		}
	}
}

// kill ends the machine: with its PID 1 the kernel kills all of its processes, and init's end is behind all of theirs.
func (m *machine) kill() {
	_ = m.init.Process.Kill()
	<-m.ended
}

// try runs a program inside, as root.
func (m *machine) try(args ...string) (string, error) {
	inside := []string{"-t", fmt.Sprint(m.init.Process.Pid), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/root"}
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nsenter", append(inside, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run is try for what must succeed.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\njournal:\n%s", strings.Join(args, " "), err, out, m.journal())
	}
	return out
}

// file is the name that a file of the machine has outside of it.
func (m *machine) file(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", m.init.Process.Pid), path)
}

// property is what systemd says about the gateway.
func (m *machine) property(name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "-p", name, "ftpgw")
}

// journal is what the gateway and its helpers have said.
func (m *machine) journal() string {
	if out, err := m.try("journalctl", "--sync"); err != nil { // what was said is read by journald a moment later
		m.t.Errorf("journalctl --sync: %v: %s", err, out)
	}
	out, err := m.try("journalctl", "--no-pager", "-o", "cat", "-u", "ftpgw")
	if err != nil {
		m.t.Errorf("journalctl: %v", err)
	}
	return out
}

// connect connects from one address of the machine to another.
func (m *machine) connect(from, to string) (conn net.Conn) {
	m.t.Helper()
	m.inside(func() (err error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
		conn, err = d.DialContext(m.t.Context(), "tcp4", to)
		return err
	})
	m.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// inside runs f in the network of the machine.
func (m *machine) inside(f func() error) {
	m.t.Helper()
	in(m.t, fmt.Sprintf("/proc/%d/ns/net", m.init.Process.Pid), f)
}
