// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// from connects from an address of loopback.
func from(ctx context.Context, address, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}
	return d.DialContext(ctx, "tcp", to)
}

// hostile are ways to be a nuisance. Each holds a connection until it is closed, or stop is; errors are what it is there for.
func hostile() map[string]func(conn net.Conn, r *rand.Rand, stop <-chan struct{}) {
	pause := func(d time.Duration, stop <-chan struct{}) bool {
		select {
		case <-time.After(d):
			return true
		case <-stop:
			return false
		}
	}
	drain := func(conn net.Conn, stop <-chan struct{}) {
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(io.Discard, conn) }()
		select {
		case <-done:
		case <-stop:
			_ = conn.Close()
			<-done
		}
	}
	return map[string]func(net.Conn, *rand.Rand, <-chan struct{}){
		"garbage": func(conn net.Conn, r *rand.Rand, stop <-chan struct{}) {
			b := make([]byte, 4096)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			for range 16 {
				if _, err := conn.Write(b); err != nil {
					return
				}
			}
			drain(conn, stop)
		},
		"lines": func(conn net.Conn, _ *rand.Rand, stop <-chan struct{}) {
			_, _ = io.WriteString(conn, strings.Repeat("XYZZY\r\n", 1000))
			drain(conn, stop)
		},
		"slow": func(conn net.Conn, _ *rand.Rand, stop <-chan struct{}) {
			for _, b := range []byte(strings.Repeat("USER relay", 100)) {
				if _, err := conn.Write([]byte{b}); err != nil || !pause(50*time.Millisecond, stop) {
					return
				}
			}
		},
		"idle": func(conn net.Conn, _ *rand.Rand, stop <-chan struct{}) { drain(conn, stop) },
		"deaf": func(conn net.Conn, _ *rand.Rand, stop <-chan struct{}) { // takes no replies
			_, _ = io.WriteString(conn, strings.Repeat("HELP\r\n", 10_000))
			<-stop
		},
		"guess": func(conn net.Conn, r *rand.Rand, stop <-chan struct{}) {
			for range 20 {
				if _, err := fmt.Fprintf(conn, "USER relay-%02d\r\nPASS guess%d\r\n", r.IntN(20), r.Uint32()); err != nil || !pause(10*time.Millisecond, stop) {
					return
				}
			}
			drain(conn, stop)
		},
		"http": func(conn net.Conn, _ *rand.Rand, stop <-chan struct{}) {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER relay\r\n")
			drain(conn, stop)
		},
		"reset": func(conn net.Conn, r *rand.Rand, stop <-chan struct{}) {
			_, _ = io.WriteString(conn, "USER x\r\nPAS")
			pause(time.Duration(r.IntN(20))*time.Millisecond, stop)
			_ = conn.(*net.TCPConn).SetLinger(0)
		},
	}
}

// attack keeps count hostile clients at work until stop is closed, and returns when all of them have gone.
func (g *gw) attack(count int, stop <-chan struct{}) (connections *atomic.Int64, wait func()) {
	ways := hostile()
	var names []string
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	connections = new(atomic.Int64)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 8))
			address := fmt.Sprintf("127.66.%d.%d", i%200/100, 1+i%100)
			// The clients share the processors with the gateway: they come within some seconds, and who is turned away comes back after
			// as many, so that what is measured is the gateway.
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(r.IntN(often(500, 5000))) * time.Millisecond):
				}
				conn, err := from(g.t.Context(), address, g.addr)
				if err != nil {
					continue
				}
				connections.Add(1)
				ways[names[i%len(names)]](conn, r, stop)
				_ = conn.Close()
			}
		})
	}
	return connections, wg.Wait
}

// honest has each device log in, send a file and leave, rounds times over, from an address of its own, and returns how long each took.
func (g *gw) honest(t *testing.T, phase string, rounds int) (took []time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, d := range g.devices {
		wg.Go(func() {
			data := content(t, 64<<10, byte(i))
			for n := range rounds {
				begin := time.Now()
				conn, err := from(t.Context(), fmt.Sprintf("127.0.1.%d", i+1), g.addr)
				if err != nil {
					t.Errorf("%s: %v", d.name, err)
					return
				}
				f := greeted(inGoroutine{t}, conn)
				f.authenticate(d.name, d.password)
				data2, err := from(t.Context(), fmt.Sprintf("127.0.1.%d", i+1), f.epsv())
				if err != nil {
					t.Errorf("%s: %v", d.name, err)
					return
				}
				f.expect(150, "STOR /%s-%d", phase, n)
				write(f.t, data2, data)
				_ = data2.Close()
				f.expectReply("STOR", f.read(), 226)
				f.expect(221, "QUIT")
				_ = conn.Close()
				mu.Lock()
				took = append(took, time.Since(begin))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// While strangers send garbage, dawdle, sit idle, read nothing and guess passwords, on as many connections as they get, not one
// transfer of an honest device fails; afterwards memory and descriptors are what they were. How much slower the devices got is told.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	var devices []device
	for i := range 20 {
		devices = append(devices, newDevice(fmt.Sprintf("relay-%02d", i)))
	}
	g := startGateway(t, setup{devices: devices, limits: "    login_delay = \"100ms\"", zone: `login_timeout = "10s"`})
	rounds, count := often(5, 100), often(200, 2000)
	g.honest(t, "warm", 1)
	calm := g.honest(t, "calm", rounds)
	descriptors, memory := g.descriptors(), g.memory()
	stop := make(chan struct{})
	connections, wait := g.attack(count, stop)
	eventually(t, "the attack is under way", func() bool { return connections.Load() >= int64(count)/10 })
	stormy := g.honest(t, "storm", rounds)
	eventually(t, "all hostile clients have come", func() bool { return connections.Load() >= int64(count) })
	peak := g.memory()
	close(stop)
	wait()
	if want := len(devices) * rounds; len(stormy) != want || len(calm) != want {
		t.Errorf("%d transfers in calm and %d in the storm, want %d each", len(calm), len(stormy), want)
	}
	eventually(t, "no socket of a stranger is left", func() bool { return g.sockets() == "" })
	eventually(t, "no descriptor is left", func() bool { return g.descriptors() <= descriptors })
	if after := g.memory(); after > memory+64<<10 {
		t.Errorf("the program has %d KiB, %d before", after, memory)
	} else {
		t.Logf("memory: %d KiB before, %d at the peak, %d after", memory, peak, after)
	}
	p99 := func(d []time.Duration) time.Duration { return d[len(d)*99/100] }
	t.Logf("%d hostile connections by %d clients; honest transfers, median and p99: calm %s and %s, storm %s and %s, ratio of p99 %.1f", connections.Load(), count,
		calm[len(calm)/2], p99(calm), stormy[len(stormy)/2], p99(stormy), float64(p99(stormy))/float64(p99(calm)))
	seen := map[audit.Event]int{}
	for _, r := range g.records() {
		seen[r.Event]++
		if r.Event == audit.LoginOK && strings.HasPrefix(r.Peer, "127.66.") {
			t.Errorf("a stranger has logged in: %+v", r)
		}
	}
	for _, e := range []audit.Event{audit.SecurityFlood, audit.SecurityProtocol, audit.LoginFailed} {
		if seen[e] == 0 {
			t.Errorf("%s is not on record", e)
		}
	}
}

// memory is what the program has in memory (VmRSS of proc(5)), in KiB.
func (g *gw) memory() int {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				g.t.Fatal(err)
			}
			return n
		}
	}
	g.t.Fatal("the system does not tell how much memory the program has")
	return 0
}

// A stranger who sends lines as fast as the network takes them cannot fill the audit log; and what was answered is on record, each.
func TestStrangerCannotFillTheLog(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{limits: "    connections_per_address = 20", zone: `login_timeout = "3s"`})
	var sent, answered atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { g.flood(&sent, &answered) })
	}
	wg.Wait()
	commands, swallowed := 0, 0
	for _, r := range g.records() {
		if r.Event == audit.Command {
			commands++
		}
		n, _ := strconv.Atoi(r.Detail["swallowed"]) // none is 0
		swallowed += n
	}
	if commands != int(answered.Load()) || swallowed == 0 {
		t.Errorf("%d replies, %d commands on record, %d lines swallowed", answered.Load(), commands, swallowed)
	}
	size := int64(0)
	files, err := filepath.Glob(filepath.Join(g.auditDir, "*.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 512<<10 {
		t.Errorf("the log grew to %d bytes", size)
	}
	t.Logf("%d bytes were sent, %d lines answered, %d swallowed; the log has %d bytes", sent.Load(), answered.Load(), swallowed, size)
}

// flood sends garbage on one connection until it is closed, and counts what was sent and how many lines were answered.
func (g *gw) flood(sent, answered *atomic.Int64) {
	conn, err := from(g.t.Context(), "127.66.0.1", g.addr)
	if err != nil {
		g.t.Error(err)
		return
	}
	defer conn.Close()
	f := &ftp{t: inGoroutine{g.t}, conn: conn, in: bufio.NewReader(conn)}
	if f.read().code != 220 {
		return // turned away
	}
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		flood := []byte(strings.Repeat("XYZZY garbage\r\n", 1000))
		for {
			n, err := conn.Write(flood)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	for {
		r, err := f.tryRead()
		if err != nil {
			break
		}
		answered.Add(1)
		if r.code == 421 {
			break
		}
	}
	_ = conn.Close()
	<-writing
}
