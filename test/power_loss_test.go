// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/audit"
)

// station is a network of its own, on a cable to this machine's.
type station struct {
	t       testing.TB
	space   string // the network namespace
	here    string // this machine's end of the cable
	there   string // its end
	gateway string // this machine's address on the cable
	network string // of both ends
}

// newStation lays the cable. The test is skipped where this process may not make networks.
func newStation(t testing.TB) *station {
	t.Helper()
	need(t, "ip")
	pid := os.Getpid()
	subnet := fmt.Sprintf("198.18.%d.%d", pid>>6&0xff, pid<<2&0xff) // RFC 2544: addresses for tests
	var a, b, c, d int
	if _, err := fmt.Sscanf(subnet, "%d.%d.%d.%d", &a, &b, &c, &d); err != nil {
		t.Fatal(err)
	}
	s := &station{
		t: t, space: fmt.Sprintf("ftpgw%d", pid), here: fmt.Sprintf("fgh%d", pid), there: fmt.Sprintf("fgt%d", pid),
		gateway: fmt.Sprintf("%d.%d.%d.%d", a, b, c, d+1), network: subnet + "/30",
	}
	device := fmt.Sprintf("%d.%d.%d.%d", a, b, c, d+2)
	if out, err := s.ip("netns", "add", s.space); err != nil {
		if strings.Contains(out, "not permitted") || strings.Contains(out, "denied") {
			cannot(t, "this process may not make network namespaces: %s", out)
		}
		t.Fatalf("ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() { s.must("netns", "del", s.space) }) // takes the cable with it
	s.must("link", "add", s.here, "type", "veth", "peer", "name", s.there, "netns", s.space)
	s.must("addr", "add", s.gateway+"/30", "dev", s.here)
	s.must("link", "set", s.here, "up")
	s.must("-n", s.space, "addr", "add", device+"/30", "dev", s.there)
	s.must("-n", s.space, "link", "set", s.there, "up")
	return s
}

func (s *station) ip(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *station) must(args ...string) {
	s.t.Helper()
	if out, err := s.ip(args...); err != nil {
		s.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// losePower has nothing come out of the station any more, nor go in.
func (s *station) losePower() {
	s.t.Helper()
	s.must("-n", s.space, "link", "set", s.there, "down")
}

// dial connects from the station.
func (s *station) dial(addr string) net.Conn {
	s.t.Helper()
	return dialIn(s.t, s.space, addr)
}

// dialIn connects from a network namespace. The connection is closed when the test ends.
func dialIn(t testing.TB, space, addr string) (conn net.Conn) {
	t.Helper()
	in(t, space, func() (err error) {
		conn, err = net.DialTimeout("tcp", addr, patience)
		return err
	})
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// in runs f in a network namespace, which is named as by ip(8) or by its file: a socket and a process belong to that of the thread that makes them.
func in(t testing.TB, space string, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		done <- func() error {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and with it its place in the namespace
			if !filepath.IsAbs(space) {
				space = filepath.Join("/run/netns", space)
			}
			file, err := os.Open(space)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("in the network namespace %s: %v", space, err)
	}
}

// A station loses its power in the middle of an upload: no packet says so. The upload is broken off when its data have stalled, and
// nothing of it is published.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	g := startGateway(t, setup{host: s.gateway, from: fmt.Sprintf(", %q", s.network), zone: `stall_timeout = "2s"`})
	f := greeted(t, s.dial(g.addr))
	f.authenticate(g.devices[0].name, g.devices[0].password)
	data := s.dial(f.epsv())
	f.expect(150, "STOR /event.dat")
	write(t, data, content(t, 100_000, 1))
	g.waitTemp(0)
	s.losePower()
	eventually(t, "nothing is left of the upload", func() bool { return len(filesBelow(t, g.server.Root)) == 0 })
	aborted := g.recordsOf(audit.TransferAborted)
	if len(aborted) != 1 || aborted[0].FailedEvidence != "fin" || !strings.Contains(aborted[0].Cause, "no progress") {
		t.Errorf("aborted on record: %+v", aborted)
	}
}
