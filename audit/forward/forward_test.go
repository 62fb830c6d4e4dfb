// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector takes syslog messages over TCP, octet counting, and remembers their seq in the order of their coming.
type collector struct {
	t        *testing.T
	mu       sync.Mutex
	seqs     []uint64
	listener net.Listener
	conns    []net.Conn
	running  sync.WaitGroup
	changed  chan struct{}
}

var seqParam = regexp.MustCompile(`^<11[0-9]|^<10[0-9]`)
var seqValue = regexp.MustCompile(` seq="([0-9]+)"`)

func (c *collector) start(address string) string {
	c.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.listener = l
	c.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			c.running.Go(func() { c.take(conn) })
		}
	})
	return l.Addr().String()
}

func (c *collector) take(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			c.t.Errorf("the length %q is no number", length)
			return
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		m := seqValue.FindSubmatch(text)
		if m == nil || !seqParam.Match(text) {
			c.t.Errorf("not a message of ours: %s", text)
			return
		}
		seq, err := strconv.ParseUint(string(m[1]), 10, 64)
		if err != nil {
			c.t.Error(err)
		}
		c.mu.Lock()
		c.seqs = append(c.seqs, seq)
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// stop closes everything, as a collector that is restarted does.
func (c *collector) stop() {
	_ = c.listener.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
	c.mu.Unlock()
	c.running.Wait()
}

func (c *collector) wait(seq uint64) {
	c.t.Helper()
	late := time.After(time.Minute)
	for {
		c.mu.Lock()
		n := len(c.seqs)
		found := n > 0 && c.seqs[n-1] >= seq
		c.mu.Unlock()
		if found {
			return
		}
		select {
		case <-c.changed:
		case <-late:
			c.t.Fatalf("record %d does not come", seq)
		}
	}
}

// complete holds what has come to what was sent: everything, and in order, where a repetition begins again before it goes on.
func complete(t *testing.T, seqs []uint64, last uint64) {
	t.Helper()
	highest := uint64(0)
	for i, seq := range seqs {
		if seq > highest+1 || i > 0 && seq != seqs[i-1]+1 && seq > highest {
			t.Fatalf("message %d is of record %d, when %d had come", i, seq, highest)
		}
		highest = max(highest, seq)
	}
	if highest != last {
		t.Errorf("the last record to come is %d, want %d", highest, last)
	}
}

func record(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for range n {
		if err := l.Record(t.Context(), audit.Record{Event: audit.Command, CommandFields: &audit.CommandFields{Verb: "NOOP", Code: 200, Text: "ok"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A collector that goes away and comes back gets everything, and so it does when the gateway was restarted in the meantime.
func TestCollectorComesBack(t *testing.T) {
	dir := t.TempDir()
	l, err := audit.Open(dir, audit.Options{SegmentSize: 8192})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, changed: make(chan struct{}, 1)}
	address := c.start("127.0.0.1:0")
	run := func() (stop func()) {
		f, err := New(Options{
			Name: "siem", Dir: dir, Durable: l.Durable, Final: func() (uint64, bool) { return 0, false },
			Open: Syslog("tcp", address, nil, JSON), Settle: 50 * time.Millisecond, Logger: quiet(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		return func() { cancel(); <-done }
	}
	stop := run()
	record(t, l, 50)
	c.wait(50)
	c.stop()
	record(t, l, 100) // while it is away
	c.start(address)
	c.wait(150)
	stop()
	record(t, l, 30) // while nobody sends
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stop = run()
	c.wait(l.Durable())
	stop()
	c.stop()
	complete(t, c.seqs, l.Durable())
}

// What is sent at the end of a log ends the forwarder, without waiting for the context.
func TestFinal(t *testing.T) {
	dir := t.TempDir()
	l, err := audit.Open(dir, audit.Options{Key: filepath.Join(dir, "key")})
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	opts := Options{
		Name: "out", Dir: dir, Durable: l.Durable, Final: func() (uint64, bool) { return l.Durable(), true },
		Open: Stream(&out, CEF("1|0")), Logger: quiet(),
	}
	for range 2 { // the second time there is nothing left
		f, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		f.Run(t.Context())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 11 || !strings.HasPrefix(lines[0], `CEF:0|ftpgw|ftpgw|1\|0|command|command|2|rt=`) || !strings.Contains(lines[0], " externalId=1 ") {
		t.Errorf("%d lines, the first is %s", len(lines), lines[0])
	}
}

// What devices choose cannot break out of its field.
func TestFormats(t *testing.T) {
	r := audit.Record{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6789000, time.UTC), Seq: 7, Event: audit.DecisionDenied, Device: "relay", Peer: "[2001:db8::1]:99",
		User: "a\" b] c=d|e\\f\n<1>1 \xff", TransferFields: &audit.TransferFields{Op: "upload", Path: "/x"},
	}
	want := `<108>1 2026-01-02T03:04:05.006789Z host ftpgw 42 decision.denied [ftpgw@32473 event="decision.denied" seq="7" device="relay" ` +
		`peer="2001:db8::1" user="a\" b\] c=d|e\\f <1>1 ?" op="upload" path="/x"] {}`
	if got := syslogMessage(r, "host", 42, "{}"); got != want {
		t.Errorf("syslog:\n got %s\nwant %s", got, want)
	}
	want = `CEF:0|ftpgw|ftpgw|v1|decision.denied|decision.denied|6|rt=` + fmt.Sprint(r.Time.UnixMilli()) +
		` externalId=7 dhost=relay src=2001:db8::1 suser=a" b] c\=d|e\\f <1>1 ? act=upload filePath=/x`
	if got := cef(r, "v1"); got != want {
		t.Errorf("CEF:\n got %s\nwant %s", got, want)
	}
}

// journald and UDP take one message in one datagram.
func TestDatagrams(t *testing.T) {
	line := []byte(`{"seq":3}`)
	r := audit.Record{Seq: 3, Event: audit.LoginFailed, User: "a\nPRIORITY=0"}
	socket := filepath.Join(t.TempDir(), "journal")
	for network, address := range map[string]string{"unixgram": socket, "udp": "127.0.0.1:0"} {
		server, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		open := Journal(socket, JSON)
		if network == "udp" {
			open = Syslog("udp", server.LocalAddr().String(), nil, JSON)
		}
		conn, err := open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Send(r, line); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, _, err := server.ReadFrom(b)
		got := string(b[:n])
		if err != nil || !strings.Contains(got, string(line)) || strings.Contains(got, "\nPRIORITY=0") {
			t.Errorf("%s: %q, %v", network, got, err)
		}
		if network == "unixgram" && !strings.Contains(got, "PRIORITY=4\n") {
			t.Errorf("journald: %q", got)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		_ = server.Close()
	}
}
