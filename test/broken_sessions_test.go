// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// stage brings a session to a point at which it will be broken; the data connection is nil where there is none.
type stage struct {
	name string
	go_  func(t *testing.T, f *ftp, path string) net.Conn
}

// stages are those of a session with a file at /big that is larger than what the sockets between the two ends hold.
func stages() []stage {
	command := func(line string) func(*testing.T, *ftp, string) net.Conn {
		return func(_ *testing.T, f *ftp, _ string) net.Conn { f.send("%s", line); return nil }
	}
	dataTo := func(t *testing.T, f *ftp) net.Conn {
		conn, err := net.DialTimeout("tcp", f.epsv(), patience)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	stor := func(t *testing.T, f *ftp, path string, size int64) net.Conn {
		conn := dataTo(t, f)
		f.expect(150, "STOR %s", path)
		write(t, conn, content(t, size, 1))
		return conn
	}
	return []stage{
		{"logged in", command("NOOP")},
		{"a user without a password", command("USER relay")},
		{"half a command", func(t *testing.T, f *ftp, _ string) net.Conn { write(t, f.conn, []byte("STO")); return nil }},
		{"a passive port", func(_ *testing.T, f *ftp, _ string) net.Conn { f.epsv(); return nil }},
		{"a data connection", func(t *testing.T, f *ftp, _ string) net.Conn { return dataTo(t, f) }},
		{"STOR without a data connection", func(_ *testing.T, f *ftp, path string) net.Conn { f.epsv(); f.send("STOR %s", path); return nil }},
		{"STOR to an active port that is closed", func(_ *testing.T, f *ftp, path string) net.Conn {
			f.expect(200, "PORT 127,0,0,1,4,1")
			f.send("STOR %s", path)
			return nil
		}},
		{"STOR of nothing", func(t *testing.T, f *ftp, path string) net.Conn { return stor(t, f, path, 0) }},
		{"STOR", func(t *testing.T, f *ftp, path string) net.Conn { return stor(t, f, path, 100_000) }},
		{"the end of a STOR", func(t *testing.T, f *ftp, path string) net.Conn { _ = stor(t, f, path, 1000).Close(); return nil }},
		{"RETR", func(t *testing.T, f *ftp, _ string) net.Conn {
			conn := dataTo(t, f)
			f.expect(150, "RETR /big")
			return conn
		}},
		{"LIST", func(t *testing.T, f *ftp, _ string) net.Conn { conn := dataTo(t, f); f.send("LIST"); return conn }},
		{"commands in advance", func(t *testing.T, f *ftp, path string) net.Conn {
			conn := stor(t, f, path, 10)
			f.send("%s", strings.Repeat("NOOP\r\n", 40))
			return conn
		}},
	}
}

// way breaks a session. What is still open afterwards is closed by the caller.
type way struct {
	name string
	do   func(t *testing.T, control, data net.Conn)
}

func ways() []way {
	end := func(conn net.Conn) {
		if conn != nil {
			_ = conn.Close()
		}
	}
	abort := func(t *testing.T, conn net.Conn) {
		if conn != nil {
			reset(t, conn)
		}
	}
	return []way{
		{"closed", func(t *testing.T, control, data net.Conn) { end(control); end(data) }},
		{"data closed first", func(t *testing.T, control, data net.Conn) { end(data); end(control) }},
		{"reset", func(t *testing.T, control, data net.Conn) { abort(t, control); abort(t, data) }},
		{"data reset first", func(t *testing.T, control, data net.Conn) { abort(t, data); abort(t, control) }},
		{"half-closed", func(t *testing.T, control, data net.Conn) {
			if err := control.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
			_, _ = bufio.NewReader(control).WriteTo(discard{}) // the gateway ends what the device has half ended
		}},
		{"ABOR and reset", func(t *testing.T, control, data net.Conn) {
			write(t, control, []byte("ABOR\r\n"))
			abort(t, control)
			end(data)
		}},
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Sessions that break, at whatever point and in whatever way, leave nothing behind: no descriptor, no passive port, no goroutine, no
// temporary file.
func TestBrokenSessions(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	warm := g.login(0)
	warm.put("/big", content(t, 8<<20, 1))
	warm.expect(221, "QUIT")
	count, workers := often(400, 10_000), 8
	before := 0
	run := func(count int) {
		t.Run("sessions", func(t *testing.T) {
			for w := range workers {
				t.Run(strconv.Itoa(w), func(t *testing.T) {
					t.Parallel()
					for i := w; i < count; i += workers {
						g.breakSession(t, i)
					}
				})
			}
		})
	}
	run(workers * 2) // the connections to the conduit are all there then
	g.waitNoTemps()
	eventually(t, "the first sessions are gone", func() bool { return g.sockets() == "" })
	before = g.descriptors()
	run(count)
	g.waitNoTemps()
	eventually(t, "no socket of a device is left", func() bool { return g.sockets() == "" })
	eventually(t, "no descriptor is left", func() bool { return g.descriptors() <= before })
	after := g.descriptors()
	stacks := strings.Split(g.dump(), "\n\n")
	goroutines := 0
	for _, s := range stacks {
		if !strings.HasPrefix(s, "goroutine ") {
			continue
		}
		goroutines++
		for _, culprit := range []string{"ftpfront.(*session)", "ftpfront.(*running)", "ftpfront.(*dtp)", "ftpserverlib", "sftpback.(*upload)", "sftpback.(*download)"} {
			if strings.Contains(s, culprit) {
				t.Errorf("a goroutine is left:\n%s", s)
			}
		}
	}
	if goroutines == 0 {
		t.Error("the dump shows no goroutine at all")
	}
	t.Logf("%d broken sessions: %d descriptors before, %d after; %d goroutines, none of a session", count, before, after, goroutines)
}

// breakSession brings the i-th session to one of the stages and breaks it in one of the ways.
func (g *gw) breakSession(t *testing.T, i int) {
	s, w := stages(), ways()
	f := login(t, g.addr, g.devices[0].name, g.devices[0].password)
	data := s[i%len(s)].go_(t, f, fmt.Sprintf("/broken-%d", i))
	w[i/len(s)%len(w)].do(t, f.conn, data)
	_ = f.conn.Close()
	if data != nil {
		_ = data.Close()
	}
}

// descriptors is how many the program has open.
func (g *gw) descriptors() int {
	g.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	return len(entries)
}

// sockets shows those of the program at a port of the zone, without the one that listens for devices. In /proc/net/tcp (proc(5)) the
// second field is the local address, the fourth the state, the tenth the inode, which is 0 where no process has the socket any more.
func (g *gw) sockets() string {
	g.t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	own := g.inodes()
	var left []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || !own[fields[9]] {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			continue // the header
		}
		const listening = "0A"
		if int(port) == g.passive[0]-1 && fields[3] != listening || int(port) >= g.passive[0] && int(port) <= g.passive[1] {
			left = append(left, fmt.Sprintf("%d (%s)", port, fields[3]))
		}
	}
	return strings.Join(left, " ")
}

// inodes are those of the program's sockets.
func (g *gw) inodes() map[string]bool {
	g.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	own := map[string]bool{}
	for _, e := range entries {
		link, err := os.Readlink(dir + "/" + e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own
}
