// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// spoolAll is a rule under which everything is allowed, and acknowledged when it is spooled.
func spoolAll(deliver string) string {
	return strings.Replace(allowAll, `paths   = ["/**"]`, `paths   = ["/**"]
  deliver {
    acknowledge = "spooled"
    `+deliver+`
  }`, 1)
}

const plainSpool = "min_free = \"1MiB\""

// The conduit is down. A device is told that its file is complete, sees it as if it were across, renames and removes as ever; when
// the conduit is back all is across, and on record with digests that agree.
func TestStoreAndForward(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, spool: plainSpool, rules: spoolAll("")})
	f := g.login(0)
	f.expect(257, "MKD /events")
	f.expect(250, "CWD /events")
	want := map[string][]byte{}
	for i := range 5 {
		name, data := fmt.Sprintf("f%d.dat", i), content(t, int64(4096+i), byte(i))
		f.put(name+".tmp", data)
		if r := f.expect(213, "SIZE %s.tmp", name); r.text != fmt.Sprint(len(data)) {
			t.Errorf("SIZE right behind STOR: %v", r)
		}
		f.expect(213, "MDTM %s.tmp", name)
		f.expect(350, "RNFR %s.tmp", name)
		f.expect(250, "RNTO %s", name)
		if got := f.get("RETR %s", name); !bytes.Equal(got, data) {
			t.Errorf("RETR right behind STOR: %d bytes", len(got))
		}
		want[filepath.Join("events", name)] = data
	}
	f.expect(250, "DELE f4.dat")
	delete(want, "events/f4.dat")
	if list := string(f.get("NLST")); list != "f0.dat\r\nf1.dat\r\nf2.dat\r\nf3.dat\r\n" {
		t.Errorf("NLST: %q", list)
	}
	digest := f.expect(213, "HASH f0.dat")
	sum := sha256.Sum256(want["events/f0.dat"])
	if !strings.Contains(strings.ToLower(digest.text), hex.EncodeToString(sum[:])) {
		t.Errorf("HASH: %v", digest)
	}
	s.Restart()
	eventually(t, "the spool is empty", func() bool { return len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0 })
	if got := filesBelow(t, g.home(0)); len(got) != len(want) {
		t.Errorf("across: %q", got)
	}
	for name, data := range want {
		if got, err := os.ReadFile(filepath.Join(g.home(0), name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	accepted, delivered := map[string]string{}, map[string]string{}
	for _, r := range g.records() {
		switch r.Event {
		case audit.TransferCommitted:
			if r.Op == "upload" {
				accepted[r.Transfer] = r.SHA256
			}
		case audit.SpoolDelivered:
			if r.Op == "upload" {
				delivered[r.Transfer] = r.SHA256
			}
		}
	}
	if len(accepted) != 5 || len(delivered) != 4 {
		t.Errorf("%d accepted, %d delivered", len(accepted), len(delivered))
	}
	for transfer, sum := range delivered {
		if accepted[transfer] != sum {
			t.Errorf("transfer %s: accepted with %s, delivered with %s", transfer, accepted[transfer], sum)
		}
	}
}

// The gateway is killed at random, again and again, while devices send and the conduit comes and goes. What got its 226 arrives under
// its name, whole; nothing else is published.
func TestSpoolSurvivesKills(t *testing.T) {
	t.Parallel()
	devices := []device{newDevice("d0"), newDevice("d1"), newDevice("d2")}
	s := sshdtest.Start(t)
	g := startGateway(t, setup{server: s, spool: plainSpool, rules: spoolAll(""), devices: devices})
	var mu sync.Mutex
	confirmed, sent := map[string][]byte{}, map[string][]byte{}
	for life := range often(6, 1000) {
		stop := make(chan struct{})
		var clients sync.WaitGroup
		for d := range devices {
			clients.Go(func() {
				f := g.tryLogin(d)
				for i := 0; f != nil; i++ {
					select {
					case <-stop:
						return
					default:
					}
					name := fmt.Sprintf("/%d-%d.dat", life, i)
					data := content(t, 1+rand.Int64N(20000), byte(life*31+i*3+d))
					path := filepath.Join(g.home(d), name)
					mu.Lock()
					sent[path] = data
					mu.Unlock()
					if !tryStore(f, name, data) {
						return
					}
					mu.Lock()
					confirmed[path] = data
					mu.Unlock()
				}
			})
		}
		if life%3 == 1 {
			s.Kill()
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // at no convenient moment
		_ = g.cmd.Process.Signal(syscall.SIGKILL)
		close(stop)
		clients.Wait()
		<-g.exited
		if life%3 == 1 {
			s.Restart()
		}
		g.startAgain()
	}
	eventually(t, "the spool is empty", func() bool { return len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0 })
	eventually(t, "the temporaries are swept", func() bool {
		return !slices.ContainsFunc(filesBelow(t, s.Root), func(name string) bool { return strings.Contains(name, ".ftpgw-") })
	})
	if len(confirmed) == 0 {
		t.Error("nothing was confirmed: the test tries nothing")
	}
	t.Logf("%d files were sent, %d of them confirmed", len(sent), len(confirmed))
	for path, data := range confirmed {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s was confirmed; there are %d of %d bytes, %v", path, len(got), len(data), err)
		}
	}
	for _, name := range filesBelow(t, s.Root) {
		data, err := os.ReadFile(filepath.Join(s.Root, name))
		if want := sent[filepath.Join(s.Root, name)]; err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s was published with %d bytes, %v; it was sent with %d", name, len(data), err, len(want))
		}
	}
	deliveries := map[string]int{}
	for _, r := range g.recordsOf(audit.SpoolDelivered) {
		deliveries[r.Device+r.Path]++
	}
	for name, n := range deliveries {
		if n > 2 { // twice where it was killed between the record and the end of the entry
			t.Errorf("%s is on record as delivered %d times", name, n)
		}
	}
}

// tryLogin is login for a gateway that may be killed at any moment: nil then.
func (g *gw) tryLogin(i int) *ftp {
	conn, err := net.DialTimeout("tcp", g.addr, patience)
	if err != nil {
		return nil
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	f := &ftp{t: g.t, conn: conn, in: bufio.NewReader(conn)}
	if _, err := f.tryRead(); err != nil {
		return nil
	}
	for _, line := range []string{"USER " + g.devices[i].name, "PASS " + g.devices[i].password, "TYPE I"} {
		if _, err := fmt.Fprintf(f.conn, "%s\r\n", line); err != nil {
			return nil
		}
		if r, err := f.tryRead(); err != nil || r.code >= 400 {
			return nil
		}
	}
	return f
}

// The spool has no room: 452, before the data connection opens where the device has announced the size, else at the byte that would
// exceed; and nothing of the file remains.
func TestSpoolIsFull(t *testing.T) {
	t.Parallel()
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, spool: plainSpool + "\nmax_size = \"100kB\"", rules: spoolAll("")})
	f := g.login(0)
	f.put("/a", content(t, 60_000, 1))
	f.expect(200, "ALLO 60000")
	if conn, r := f.tryData("STOR /b"); r.code != 452 {
		if conn != nil {
			_ = conn.Close()
		}
		t.Errorf("STOR of what was announced: %v", r)
	}
	if r := f.store("/c", bytes.NewReader(content(t, 60_000, 2))); r.code != 452 {
		t.Errorf("STOR of what does not fit: %v", r)
	}
	f.put("/d", content(t, 30_000, 3))
	if list := string(f.get("NLST")); list != "a\r\nd\r\n" {
		t.Errorf("NLST: %q", list)
	}
	s.Restart()
	eventually(t, "the spool is empty", func() bool { return len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0 })
	if got := filesBelow(t, g.home(0)); len(got) != 2 {
		t.Errorf("across: %q", got)
	}
	f.put("/e", content(t, 90_000, 4)) // there is room again
}
