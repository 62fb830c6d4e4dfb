// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// kill ends the gateway with SIGKILL, as a power cut of its machine would, and returns when it is gone.
func (g *gw) kill() {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		g.t.Fatal(err)
	}
	<-g.exited
}

// startAgain starts the gateway that was killed, with the same configuration and the same audit log.
func (g *gw) startAgain() {
	g.t.Helper()
	g.exited, g.status, g.log = make(chan struct{}), nil, logBuffer{}
	g.start(filepath.Join(g.dir, "ftpgw.hcl"))
	g.waitLog("ready")
}

// The gateway is killed at each step of a commit, before the server has done it and after. Under the final name is the old file or
// the new one, whole; the next start sweeps the temporary; what has no record had no 226; and the device can send the file again.
func TestGatewayKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range []sftpfault.Fault{
		{Op: sftpfault.Open, Nth: 1}, {Op: sftpfault.Write, Nth: 1}, {Op: sftpfault.Write, Nth: 4}, {Op: sftpfault.Fsync, Nth: 1},
		{Op: sftpfault.Fstat, Nth: 2}, {Op: sftpfault.Close, Nth: 1}, {Op: sftpfault.PosixRename, Nth: 1},
	} {
		for _, done := range []bool{false, true} {
			fault := step
			fault.Done, fault.Kind = done, sftpfault.Hold
			t.Run(fmt.Sprintf("%s-%d-%v", fault.Op, fault.Nth, done), func(t *testing.T) {
				t.Parallel()
				killAt(t, fault)
			})
		}
	}
}

func killAt(t *testing.T, fault sftpfault.Fault) {
	s, at := startFaultyServer(t)
	g := startGateway(t, setup{server: at})
	settleDown(t, s)
	f := g.login(0)
	data := pattern3(3*faultPacket + 1)
	f.put("/file", []byte("old"))
	armed := s.Arm(fault)
	conn := f.data("STOR /file")
	write(t, conn, data)
	_ = conn.Close()
	<-armed.Struck()
	g.kill()
	if r, err := f.tryRead(); err == nil {
		t.Errorf("killed before its record could be written, the gateway has said %v", r)
	}
	s.Disarm()
	got, err := os.ReadFile(filepath.Join(g.home(0), "file"))
	if err != nil || string(got) != "old" && !bytes.Equal(got, data) {
		t.Errorf("under the final name there are %d bytes, %v", len(got), err)
	}
	g.startAgain()
	eventually(t, "the temporary is swept", func() bool { return len(filesBelow(t, g.home(0))) == 1 })
	g.login(0).put("/file", data)
	if got, err := os.ReadFile(filepath.Join(g.home(0), "file")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("sent again, there are %d bytes, %v", len(got), err)
	}
	if list := g.recordsOf(audit.TransferCommitted); len(list) != 2 {
		t.Errorf("%d committed transfers on record, want the first and the last", len(list))
	}
}

// A device sends one file after another while the gateway is killed again and again. Whatever was confirmed is on the server, whole,
// and on record with its digest.
func TestNo226WithoutItsRecord(t *testing.T) {
	t.Parallel()
	server := sshdtest.Start(t)
	g := startGateway(t, setup{server: server})
	confirmed := map[string][]byte{}
	for life := range 5 {
		f := g.login(0)
		stop := make(chan struct{})
		go func() { // the killer does not wait for a convenient moment
			<-stop
			_ = g.cmd.Process.Signal(syscall.SIGKILL)
		}()
		for i := 0; ; i++ {
			name, data := fmt.Sprintf("/%d-%d", life, i), pattern3(1000*(life+1)+i)
			if i == 5+life {
				close(stop)
			}
			if !tryStore(f, name, data) {
				break
			}
			confirmed[name] = data
		}
		<-g.exited
		g.startAgain()
	}
	eventually(t, "the temporaries are swept", func() bool {
		return !strings.Contains(strings.Join(filesBelow(t, server.Root), " "), ".ftpgw-")
	})
	onRecord := map[string]string{}
	for _, r := range g.recordsOf(audit.TransferCommitted) {
		onRecord[r.Path] = r.SHA256
	}
	for name, data := range confirmed {
		sum := sha256.Sum256(data)
		if onRecord[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s was confirmed, and is on record with digest %q", name, onRecord[name])
		}
		if got, err := os.ReadFile(filepath.Join(g.home(0), name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s was confirmed, and there are %d bytes, %v", name, len(got), err)
		}
	}
	if len(confirmed) < 25 {
		t.Errorf("only %d uploads were confirmed", len(confirmed))
	}
}

// tryStore uploads to a gateway that may die at any moment, and reports whether it was confirmed.
func tryStore(f *ftp, name string, data []byte) bool {
	f.t.Helper()
	f.deadline()
	if _, err := fmt.Fprintf(f.conn, "EPSV\r\n"); err != nil {
		return false
	}
	r, err := f.tryRead()
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(r.text, "(|||")
	port, _, _ := strings.Cut(rest, "|)")
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), patience)
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(f.conn, "STOR %s\r\n", name); err != nil {
		return false
	}
	if r, err := f.tryRead(); err != nil || r.code != 150 {
		return false
	}
	if _, err := conn.Write(data); err != nil {
		return false
	}
	_ = conn.Close()
	r, err = f.tryRead()
	return err == nil && r.code == 226
}
