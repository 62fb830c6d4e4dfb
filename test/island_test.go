// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// island on breaks off what is under way, ends all sessions with 421, and closes the conduit. island off is the way back.
func TestIslandOnAndOff(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	idle, busy, down := g.login(0), g.login(0), g.login(0)
	idle.put("/before", content(t, 32<<20, 1)) // more than the buffers of a connection hold that nobody reads from
	fetching := down.data("RETR /before")
	conn := busy.data("STOR /during")
	write(t, conn, content(t, 1<<20, 2))
	eventually(t, "the upload is on its way", func() bool { return len(filesBelow(t, g.home(0))) == 2 })
	out := g.succeed("island", "on", "--reason", "incident 4711")
	for _, want := range []string{"island: on, nothing crosses", "incident 4711", "uid 0"} {
		if !strings.Contains(out, want) && os.Getuid() == 0 {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if files := filesBelow(t, g.home(0)); !slices.Equal(files, []string{"before"}) {
		t.Errorf("on the server when the island is complete: %q", files)
	}
	for what, f := range map[string]*ftp{"idle": idle, "upload": busy, "download": down} {
		if r := f.read(); r.code != 421 {
			t.Errorf("the session (%s) got %v, want 421", what, r)
		}
	}
	_, _ = conn.Close(), fetching.Close()
	g.expectBarred()
	s := g.statusNow()
	if !s.Island.On || !s.Island.Complete || s.Island.Reason != "incident 4711" || !slices.Equal(s.Island.By, []string{"switch"}) {
		t.Errorf("status: %+v", s.Island)
	}
	if c := s.Conduits[0]; c.Up || c.Connections != 0 || !strings.Contains(c.LastError, "suspended") {
		t.Errorf("status of the conduit: %+v", c)
	}
	since := s.Island.Since
	g.succeed("island", "on")
	if s := g.statusNow().Island; !s.Since.Equal(since) || s.Reason != "incident 4711" {
		t.Errorf("a second island on has changed since when it is one, or why: %+v", s)
	}
	if out := g.succeed("island", "off"); out != "island: off\n" {
		t.Errorf("island off says %q", out)
	}
	eventually(t, "the conduit is up", func() bool { return g.statusNow().Conduits[0].Up })
	g.login(0).put("/after", []byte("after"))
	var events []audit.Event
	for _, r := range g.records() {
		switch r.Event {
		case audit.IslandOn, audit.IslandOff, audit.TransferAborted:
			events = append(events, r.Event)
		}
		if r.Event == audit.IslandOn && (r.Cause != "incident 4711" || r.Detail["pid"] == "" || r.Detail["uid"] == "" || r.Detail["by_switch"] == "") {
			t.Errorf("on record: %+v", r)
		}
	}
	if !slices.Equal(events, []audit.Event{audit.IslandOn, audit.TransferAborted, audit.TransferAborted, audit.IslandOn, audit.IslandOff}) {
		t.Errorf("on record: %q", events)
	}
}

// expectBarred connects as a device, which must get a 421 and the end.
func (g *gw) expectBarred() {
	g.t.Helper()
	conn, err := net.DialTimeout("tcp", g.addr, patience)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	f := &ftp{t: g.t, conn: conn, in: bufio.NewReader(conn)}
	if r := f.read(); r.code != 421 {
		g.t.Errorf("a new connection got %v, want 421", r)
	}
	if r, err := f.tryRead(); err == nil {
		g.t.Errorf("behind the 421 came %v", r)
	}
}

// Once island on has answered nothing comes to its final name any more, however many devices are in whatever step of an upload.
func TestNothingIsPublishedBehindAnIsland(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	const devices = 8
	var running sync.WaitGroup
	var mu sync.Mutex
	confirmed := map[string]bool{}
	begun := make(chan struct{}, devices)
	for d := range devices {
		f := g.login(0)
		running.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("f-%d-%d", d, n)
				r, err := f.tryStore(name)
				if err != nil || r.code == 421 {
					return
				}
				if r.code == 226 {
					mu.Lock()
					confirmed[name] = true
					mu.Unlock()
				}
				if n == 5 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range devices {
		<-begun
	}
	g.succeed("island", "on")
	at := filesBelow(t, g.home(0))
	running.Wait()
	after := filesBelow(t, g.home(0))
	slices.Sort(at)
	slices.Sort(after)
	if !slices.Equal(at, after) {
		t.Errorf("%d files on the server when island on had answered, %d later", len(at), len(after))
	}
	for _, name := range slices.Sorted(maps.Keys(confirmed)) {
		if !slices.Contains(after, name) {
			t.Errorf("%s got its 226 and is not there", name)
		}
	}
	g.succeed("island", "off")
}

// tryStore stores a small file. Its error is that of a connection that has gone.
func (f *ftp) tryStore(name string) (reply, error) {
	ask := func(line string) (reply, error) {
		if _, err := fmt.Fprintf(f.conn, "%s\r\n", line); err != nil {
			return reply{}, err
		}
		return f.tryRead()
	}
	r, err := ask("EPSV")
	if err != nil || r.code != 229 {
		return r, err
	}
	fields := strings.Split(r.text, "|")
	host, _, _ := net.SplitHostPort(f.conn.RemoteAddr().String())
	conn, err := net.Dial("tcp", net.JoinHostPort(host, fields[len(fields)-2]))
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	if r, err = ask("STOR " + name); err != nil || r.code != 150 {
		return r, err
	}
	_, _ = conn.Write(bytes.Repeat([]byte("x"), 100)) // broken off at any moment
	_ = conn.Close()
	return f.tryRead()
}

// The switch outlasts a restart: the gateway starts as an island, tells so, dials nobody and lets nobody in.
func TestIslandOutlastsARestart(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.succeed("island", "on", "--reason", "until the audit is over")
	g.kill()
	g.startAgain()
	if !strings.Contains(g.log.String(), `"island":true`) {
		t.Error("the ready line does not tell of the island")
	}
	g.expectBarred()
	s := g.statusNow()
	if !s.Island.On || !s.Island.Complete || s.Island.Reason != "until the audit is over" || s.Conduits[0].Connections != 0 {
		t.Errorf("status: %+v %+v", s.Island, s.Conduits)
	}
	g.succeed("island", "off")
	eventually(t, "the conduit is up", func() bool { return g.statusNow().Conduits[0].Up })
	g.login(0).put("/after", []byte("after"))
	g.stop()
	g.startAgain()
	if s := g.statusNow(); s.Island.On {
		t.Errorf("after the island was lifted and the gateway started again: %+v", s.Island)
	}
	up := 0
	for _, r := range g.records() {
		if r.Event == audit.IslandOn {
			up++
		}
	}
	if up != 2 {
		t.Errorf("island.on is on record %d times, want once when it began and once at the restart", up)
	}
}

// A switch that cannot be read counts as on.
func TestIslandSwitchThatIsDamaged(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	g.succeed("island", "off")
	g.kill()
	if err := os.WriteFile(filepath.Join(g.dir, "state", "island.json"), []byte("{\"on\":fal"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.startAgain()
	g.expectBarred()
	g.succeed("island", "off")
	eventually(t, "the conduit is up", func() bool { return g.statusNow().Conduits[0].Up })
}

// What the configuration orders the switch cannot lift, and the other way round.
func TestIslandOfTheConfiguration(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	g.edit(func(text string) string { return "island = true\n" + text })
	if out := g.succeed("reload"); !strings.Contains(out, "island added") {
		t.Errorf("reload says:\n%s", out)
	}
	if r := f.read(); r.code != 421 {
		t.Errorf("a session got %v, want 421", r)
	}
	if o := g.operate("island", "off"); o.status != 1 || !strings.Contains(o.stderr, "the configuration orders the island") {
		t.Errorf("island off: exit status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
	g.expectBarred()
	g.succeed("island", "on", "--reason", "both")
	if s := g.statusNow(); !slices.Equal(s.Island.By, []string{"switch", "configuration"}) {
		t.Errorf("by %q", s.Island.By)
	}
	g.edit(func(text string) string { return strings.Replace(text, "island = true\n", "", 1) })
	g.succeed("reload")
	g.expectBarred()
	g.succeed("island", "off")
	eventually(t, "the conduit is up", func() bool { return g.statusNow().Conduits[0].Up })
	g.login(0).put("/after", []byte("after"))
}

// A gateway that starts with island = true has never dialled anybody.
func TestIslandFromTheStart(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: "island = true\n" + allowAll})
	g.expectBarred()
	if s := g.statusNow(); !s.Island.Complete || s.Conduits[0].Connections != 0 {
		t.Errorf("status: %+v %+v", s.Island, s.Conduits)
	}
	for _, r := range g.records() {
		if r.Event == audit.ConduitUp {
			t.Error("the conduit was up")
		}
	}
	if strings.Contains(g.server.Log(), "Accepted publickey") {
		t.Error("the server has seen us")
	}
}

// With island_mode = "spool" devices go on to upload what is acknowledged when it is in the spool, and nothing else; it is delivered
// when the island is over.
func TestIslandThatTakesFilesIntoTheSpool(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: `
island_mode = "spool"
spool { dir = "spool" }
rule "held" {
  reason = "the test"
  allow  = ["upload"]
  paths  = ["/held/**"]
  deliver {
    path        = "/${device.name}/${file.name}"
    acknowledge = "spooled"
  }
}
` + allowAll})
	f, crossing, spooling := g.login(0), g.login(0), g.login(0)
	lost, kept := crossing.data("STOR /lost"), spooling.data("STOR /held/kept")
	write(t, lost, []byte("lost"))
	write(t, kept, []byte("ke"))
	g.waitTemp(0)
	g.succeed("island", "on")
	crossing.expectReply("STOR", crossing.read(), 451)
	_ = lost.Close()
	crossing.expect(200, "NOOP")
	write(t, kept, []byte("pt"))
	_ = kept.Close()
	spooling.expectReply("STOR", spooling.read(), 226)
	f.put("/held/one", []byte("one"))
	if r := f.store("/direct", bytes.NewReader([]byte("direct"))); r.code != 450 {
		t.Errorf("an upload that would cross: %v, want 450", r)
	}
	g.login(0).put("/held/two", []byte("two"))
	if files := filesBelow(t, g.server.Root); len(files) > 0 {
		t.Errorf("on the server: %q", files)
	}
	g.succeed("island", "off")
	eventually(t, "all is delivered", func() bool { return len(filesBelow(t, g.home(0))) == 3 })
	f.put("/direct", []byte("direct"))
}
