// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryLog keeps what is recorded, or fails.
type memoryLog struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
}

func (l *memoryLog) Record(_ context.Context, r audit.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.records = append(l.records, r)
	return nil
}

func (l *memoryLog) events() (events []audit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		events = append(events, r.Event)
	}
	return events
}

// serve runs a server with the routes until the test ends, and returns a client for it.
func serve(t *testing.T, path string, log Recorder, routes ...Route) *Client {
	t.Helper()
	s, err := Listen(t.Context(), Options{Path: path, Log: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, routes...) }()
	c := NewClient(path)
	t.Cleanup(func() {
		c.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return c
}

func echo(_ context.Context, r *Request) (any, error) {
	var body struct{ Word string }
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	return map[string]string{"id": r.Value("id"), "q": r.Query("q"), "word": body.Word, "uid": strconv.Itoa(int(r.Peer.UID)), "pid": strconv.Itoa(int(r.Peer.PID))}, nil
}

func TestRequestAndResult(t *testing.T) {
	c := serve(t, filepath.Join(t.TempDir(), "control.sock"), &memoryLog{}, Route{Pattern: "POST /v1/spool/{id}/retry", Handle: echo})
	var got map[string]string
	if err := c.Ask(t.Context(), "POST", "/v1/spool/e-7/retry?q=x%20y", map[string]string{"word": "w"}, &got, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"id": "e-7", "q": "x y", "word": "w", "uid": strconv.Itoa(os.Getuid()), "pid": strconv.Itoa(os.Getpid())}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
}

func TestErrors(t *testing.T) {
	c := serve(t, filepath.Join(t.TempDir(), "control.sock"), &memoryLog{},
		Route{Pattern: "POST /v1/echo", Handle: echo},
		Route{Pattern: "GET /v1/plain", Handle: func(context.Context, *Request) (any, error) { return nil, errors.New("it is broken") }},
		Route{Pattern: "GET /v1/detailed", Handle: func(context.Context, *Request) (any, error) {
			return nil, &Error{Status: http.StatusConflict, Message: "not now", Detail: "line 1\nline 2\n"}
		}},
		Route{Pattern: "GET /v1/panic", Handle: func(context.Context, *Request) (any, error) { panic("boom") }},
	)
	tests := []struct {
		method, path string
		body         any
		status       int
		message      string
		detail       string
	}{
		{"GET", "/v1/plain", nil, 500, "it is broken", ""},
		{"GET", "/v1/detailed", nil, 409, "not now", "line 1\nline 2\n"},
		{"GET", "/v1/panic", nil, 500, "boom", ""},
		{"GET", "/v1/unknown", nil, 404, "does not know", ""},
		{"GET", "/v1/echo", nil, 405, "use POST", ""},
		{"POST", "/v1/echo", map[string]string{"wrod": "w"}, 400, "wrod", ""},
		{"POST", "/v1/echo", map[string]string{"word": strings.Repeat("x", maxBody)}, 400, "too large", ""},
	}
	for _, tt := range tests {
		err := c.Ask(t.Context(), tt.method, tt.path, tt.body, nil, nil)
		var e *Error
		if !errors.As(err, &e) || e.Status != tt.status || !strings.Contains(e.Message, tt.message) || e.Detail != tt.detail {
			t.Errorf("%s %s: %#v, want %d %q", tt.method, tt.path, err, tt.status, tt.message)
		}
	}
}

// A long request tells how far it has come, and is not cut off by the bound on reading a request.
func TestProgress(t *testing.T) {
	next := make(chan int)
	c := serve(t, filepath.Join(t.TempDir(), "control.sock"), &memoryLog{}, Route{Pattern: "POST /v1/long", Handle: func(_ context.Context, r *Request) (any, error) {
		for n := range next {
			if err := r.Progress(n); err != nil {
				return nil, err
			}
		}
		return "all done", nil
	}})
	var seen []string
	var result string
	go func() { next <- 1 }()
	err := c.Ask(t.Context(), "POST", "/v1/long", nil, &result, func(line json.RawMessage) error {
		seen = append(seen, string(line))
		if len(seen) == 3 {
			close(next)
			return nil
		}
		next <- len(seen) + 1 // only when the line has arrived does the next one go out
		return nil
	})
	if err != nil || result != "all done" || strings.Join(seen, " ") != "1 2 3" {
		t.Errorf("progress %q, result %q, error %v", seen, result, err)
	}
}

func TestChangesAreOnRecord(t *testing.T) {
	log := &memoryLog{}
	c := serve(t, filepath.Join(t.TempDir(), "control.sock"), log,
		Route{Pattern: "GET /v1/look", Handle: func(context.Context, *Request) (any, error) { return 1, nil }},
		Route{Pattern: "POST /v1/do", Change: true, Handle: func(context.Context, *Request) (any, error) {
			if got := log.events(); len(got) != 1 || got[0] != audit.ControlRequest {
				t.Errorf("on record when the change is made: %q", got)
			}
			return nil, nil
		}},
		Route{Pattern: "POST /v1/fail", Change: true, Handle: func(context.Context, *Request) (any, error) { return nil, errors.New("no way") }},
	)
	if err := errors.Join(c.Ask(t.Context(), "GET", "/v1/look", nil, nil, nil), c.Ask(t.Context(), "POST", "/v1/do?a=b", map[string]int{"n": 7}, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if err := c.Ask(t.Context(), "POST", "/v1/fail", nil, nil, nil); err == nil {
		t.Error("no error")
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if len(log.records) != 4 || log.records[1].Event != audit.ControlDone || log.records[3].Event != audit.ControlFailed || log.records[3].Cause != "no way" {
		t.Fatalf("on record: %+v", log.records)
	}
	d := log.records[0].Detail
	if d["uid"] != strconv.Itoa(os.Getuid()) || d["pid"] != strconv.Itoa(os.Getpid()) || d["request"] != "POST /v1/do?a=b" || d["parameters"] != `{"n":7}` {
		t.Errorf("on record: %v", d)
	}
}

// What cannot be put on record is not done, unless it only takes away.
func TestNothingIsChangedUnrecorded(t *testing.T) {
	log := &memoryLog{err: errors.New("the disk is full")}
	done := map[string]bool{}
	mark := func(_ context.Context, r *Request) (any, error) { done[r.Value("what")] = true; return nil, nil }
	c := serve(t, filepath.Join(t.TempDir(), "control.sock"), log,
		Route{Pattern: "POST /v1/give/{what}", Change: true, Handle: mark},
		Route{Pattern: "POST /v1/take/{what}", Change: true, Safe: true, Handle: mark},
	)
	if err := c.Ask(t.Context(), "POST", "/v1/give/x", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a change without a log: %v", err)
	}
	if err := c.Ask(t.Context(), "POST", "/v1/take/y", nil, nil, nil); err != nil {
		t.Errorf("a safe change without a log: %v", err)
	}
	if done["x"] || !done["y"] {
		t.Errorf("done: %v", done)
	}
}

func TestSocketIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "control.sock")
	serve(t, path, &memoryLog{})
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
}

func TestDirectoryOfOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if s, err := Listen(t.Context(), Options{Path: filepath.Join(dir, "control.sock")}); err == nil {
		t.Error("a socket in a directory that everybody can write to", s.Close())
	}
}

// The socket of a dead process is replaced; one that answers is not, and neither is a file.
func TestWhatStandsInTheWay(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := serve(t, stale, &memoryLog{}, Route{Pattern: "GET /v1/look", Handle: func(context.Context, *Request) (any, error) { return 1, nil }})
	if _, err := Listen(t.Context(), Options{Path: stale}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	if err := c.Ask(t.Context(), "GET", "/v1/look", nil, nil, nil); err != nil {
		t.Errorf("the first one after that: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), Options{Path: file}); err == nil {
		t.Error("a file was replaced")
	}
}

// Paths may be longer than what fits into a socket address.
func TestLongPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 100), "control.sock")
	c := serve(t, path, &memoryLog{}, Route{Pattern: "GET /v1/look", Handle: func(context.Context, *Request) (any, error) { return 1, nil }})
	if err := c.Ask(t.Context(), "GET", "/v1/look", nil, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := NewClient(filepath.Join(t.TempDir(), "control.sock"))
	if err := c.Ask(t.Context(), "GET", "/v1/status", nil, nil, nil); !errors.Is(err, ErrNoGateway) {
		t.Errorf("without a gateway: %v", err)
	}
	file := filepath.Join(t.TempDir(), "bay.hcl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c = NewClient(file)
	if err := c.Ask(t.Context(), "GET", "/v1/status", nil, nil, nil); errors.Is(err, ErrNoGateway) || err == nil || !strings.HasSuffix(err.Error(), "is not a socket") {
		t.Errorf("a file that is no socket: %v", err)
	}
}

// A request that is being carried out sees the end of the gateway, and is still answered.
func TestServeEndsInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	begun := make(chan struct{})
	s, err := Listen(t.Context(), Options{Path: path, Log: &memoryLog{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, Route{Pattern: "GET /v1/wait", Handle: func(ctx context.Context, _ *Request) (any, error) {
			close(begun)
			<-ctx.Done()
			return nil, &Error{Status: http.StatusServiceUnavailable, Message: "the gateway stops"}
		}})
	}()
	go func() { <-begun; stop() }()
	c := NewClient(path)
	defer c.Close()
	if err := c.Ask(t.Context(), "GET", "/v1/wait", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "the gateway stops") {
		t.Errorf("the answer: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// However many connections there are, and whatever they do not say, the next client is served when one of them goes.
func TestClientsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	c := serve(t, path, &memoryLog{}, Route{Pattern: "GET /v1/look", Handle: func(context.Context, *Request) (any, error) { return 1, nil }})
	var silent []net.Conn
	for range maxClients {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	answered := make(chan error, 1)
	go func() { answered <- c.Ask(t.Context(), "GET", "/v1/look", nil, nil, nil) }()
	select {
	case err := <-answered:
		t.Errorf("one client more than the bound was served: %v", err)
	case <-time.After(50 * time.Millisecond): // can only miss a fault, never report one that is not there
	}
	if err := silent[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	for _, conn := range silent[1:] {
		if _, err := conn.Write(bytes.Repeat([]byte("x"), 100)); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}
