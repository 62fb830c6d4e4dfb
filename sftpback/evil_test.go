// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// Packet types of draft-ietf-secsh-filexfer-02, section 3, that an evil server makes use of.
const (
	evilVersion = 2
	evilStatus  = 101
	evilHandle  = 102
	evilData    = 103
	evilName    = 104
	evilAttrs   = 105
)

// evil is an SFTP server that answers each request with what it likes: the bytes of answer go out as they are. Where answer is nil for a
// request it behaves: everything is an empty directory, and every change goes well.
type evil struct {
	answer  func(kind byte, id uint32) []byte
	version []byte                                                         // the body of the answer to INIT; nil for a plain one
	served  func() (answer func(kind byte, id uint32) []byte, over func()) // where not nil, called for each channel
}

// serve talks to one client until either side ends.
func (e *evil) serve(c io.ReadWriter) {
	answer := e.answer
	if e.served != nil {
		var over func()
		answer, over = e.served()
		defer over()
	}
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-1)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		kind, id := head[4], binary.BigEndian.Uint32(body)
		var out []byte
		switch {
		case kind == fxpInit && e.version != nil:
			out = frame(evilVersion, e.version)
		case kind == fxpInit:
			out = frame(evilVersion, u32(nil, 3))
		case answer != nil:
			out = answer(kind, id)
		}
		if out == nil {
			out = behave(kind, id)
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func behave(kind byte, id uint32) []byte {
	switch kind {
	case 7, 8, 17: // LSTAT, FSTAT, STAT
		return frame(evilAttrs, u32(u32(u32(nil, id), 4), 0o040755))
	case 3, 11: // OPEN, OPENDIR
		return frame(evilHandle, text(u32(nil, id), "h"))
	case 5, 12: // READ, READDIR: the end
		return frame(evilStatus, text(text(u32(u32(nil, id), 1), ""), ""))
	case 16: // REALPATH
		return frame(evilName, u32(text(text(u32(u32(nil, id), 1), "/dev"), ""), 0))
	}
	return frame(evilStatus, text(text(u32(u32(nil, id), 0), ""), ""))
}

func frame(kind byte, body []byte) []byte {
	return append(append(u32(nil, uint32(len(body)+1)), kind), body...)
}
func u32(b []byte, n uint32) []byte  { return binary.BigEndian.AppendUint32(b, n) }
func text(b []byte, s string) []byte { return append(u32(b, uint32(len(s))), s...) }
func names(id uint32, n ...string) []byte {
	b := u32(u32(nil, id), uint32(len(n)))
	for _, name := range n {
		b = u32(u32(text(text(b, name), ""), 4), 0o100644)
	}
	return frame(evilName, b)
}

// dummy is what stands in the place of files behind an evil server: nothing, until it is closed.
type dummy struct {
	once sync.Once
	done chan struct{}
	also io.Closer
}

func (d *dummy) Read([]byte) (int, error)    { <-d.done; return 0, io.EOF }
func (d *dummy) Write(p []byte) (int, error) { return len(p), nil }
func (d *dummy) Close() error {
	d.once.Do(func() { close(d.done); _ = d.also.Close() })
	return nil
}

// overEvil is a conduit to an evil server.
func overEvil(t *testing.T, e *evil) *Conduit {
	t.Helper()
	var wg sync.WaitGroup
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	authorized, err := sftpserver.NewClientKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sftpserver.Start(context.Background(), sftpserver.Options{
		Dir: dir, User: "u", AuthorizedKey: authorized,
		Wrap: func(c io.ReadWriteCloser) io.ReadWriteCloser {
			d := &dummy{done: make(chan struct{}), also: c}
			wg.Go(func() { e.serve(c); _ = d.Close() })
			return d
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); wg.Wait() })
	c, _ := run(t, Config{
		Address: s.Addr(), User: "u", Identity: key, HostKey: s.HostKeyLine(), Root: "/", Connections: 1,
		DialTimeout: 5 * time.Second, RequestTimeout: time.Second, KeepAlive: 5 * time.Second,
	})
	return c
}

// memory watches the heap while f runs and returns by how much it grew at most.
func memory(f func()) uint64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapInuse))
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	<-ended
	return most.Load() - min(most.Load(), before.HeapInuse)
}

// everything is asked of a server, whose answers may be anything.
func everything(t *testing.T, c *Conduit) (listing []fs.FileInfo, errs map[string]error) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // where no connection lasts, this ends it
	defer cancel()
	errs = map[string]error{}
	_, errs["stat"] = c.Stat(ctx, at("/x"))
	listing, errs["list"] = c.ReadDir(ctx, at("/"))
	if d, err := c.Open(ctx, at("/x"), 0); err != nil {
		errs["download"] = err
	} else {
		_, err := d.WriteTo(io.Discard)
		errs["download"] = errors.Join(err, d.Close())
	}
	u, err := c.Begin(ctx, gateway.Target{Location: at("/x")})
	if err == nil {
		_, err = u.Write(make([]byte, 1000))
		if err == nil {
			_, err = u.Commit(ctx, gateway.Terms{})
		}
		u.Abort(err)
	}
	errs["upload"] = err
	errs["rename"] = c.Rename(ctx, at("/x"), at("/y"))
	errs["remove"] = c.Remove(ctx, at("/x"))
	_, errs["sweep"] = c.Sweep(ctx, []string{"/dev"})
	return listing, errs
}

// Whatever a server answers to requests, the gateway neither crashes nor hangs nor fills its memory, confirms no upload that the server
// cannot have, and the operation that was lied to fails.
func TestEvilAnswers(t *testing.T) {
	const lots = 96 << 20 // more than all limits together, and far less than what the server speaks of
	on := func(kind byte, f func(id uint32) []byte) func(byte, uint32) []byte {
		return func(k byte, id uint32) []byte {
			if k == kind {
				return f(id)
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		answer func(kind byte, id uint32) []byte
		fails  string
	}{
		"absurd length":          {on(12, func(uint32) []byte { return u32(nil, math.MaxUint32) }), "list"},
		"no length":              {on(12, func(uint32) []byte { return u32(nil, 0) }), "list"},
		"wrong id":               {on(12, func(id uint32) []byte { return names(id+1000, "a") }), "list"},
		"an answer twice":        {on(12, func(id uint32) []byte { return append(names(id, "a"), names(id, "a")...) }), "list"},
		"wrong kind":             {on(12, func(id uint32) []byte { return frame(evilData, text(u32(nil, id), "data")) }), "list"},
		"unknown kind":           {on(17, func(id uint32) []byte { return frame(250, u32(nil, id)) }), "stat"},
		"a version again":        {on(7, func(uint32) []byte { return frame(evilVersion, u32(nil, 3)) }), "stat"},
		"count that lies":        {on(12, func(id uint32) []byte { return frame(evilName, u32(u32(nil, id), math.MaxUint32)) }), "list"},
		"string that lies":       {on(12, func(id uint32) []byte { return frame(evilName, u32(u32(u32(nil, id), 1), math.MaxInt32)) }), "list"},
		"attributes without end": {on(7, func(id uint32) []byte { return frame(evilAttrs, u32(u32(u32(nil, id), 1<<31), math.MaxUint32)) }), "stat"},
		"attributes cut off":     {on(7, func(id uint32) []byte { return frame(evilAttrs, u32(u32(nil, id), 0xf)) }), "stat"},
		"long handle":            {on(11, func(id uint32) []byte { return frame(evilHandle, text(u32(nil, id), strings.Repeat("h", 100_000))) }), "list"},
		"more data than asked":   {on(5, func(id uint32) []byte { return frame(evilData, text(u32(nil, id), strings.Repeat("d", 200_000))) }), "download"},
		"two paths": {func(kind byte, id uint32) []byte {
			switch kind {
			case 7: // a link, so that it is asked where that leads
				return frame(evilAttrs, u32(u32(u32(nil, id), 4), 0o120777))
			case 16:
				return names(id, "/dev/x", "/dev/y")
			}
			return nil
		}, "stat"},
		"status that is none":  {on(6, func(id uint32) []byte { return frame(evilStatus, u32(u32(nil, id), 77)) }), "upload"},
		"empty status":         {on(6, func(id uint32) []byte { return frame(evilStatus, u32(nil, id)) }), "upload"},
		"success for a handle": {on(3, func(id uint32) []byte { return frame(evilStatus, text(text(u32(u32(nil, id), 0), ""), "")) }), "upload"},
		"size without a file":  {nil, "upload"}, // FSTAT has no size: what was acknowledged is not there
		"silence":              {on(12, func(uint32) []byte { return []byte{} }), "list"},
		"long message": {on(12, func(id uint32) []byte {
			return frame(evilStatus, text(text(u32(u32(nil, id), 4), strings.Repeat("m", 200_000)), ""))
		}), "list"},
		"endless listing":        {on(12, func(id uint32) []byte { return names(id, strings.Split(strings.Repeat("0123456789,", 5000), ",")...) }), "list"},
		"endless empty pages":    {on(12, func(id uint32) []byte { return names(id) }), "list"},
		"long names without end": {on(12, func(id uint32) []byte { return names(id, strings.Repeat("n", 200_000)) }), "list"},
		"size that is no number": {on(17, func(id uint32) []byte {
			return frame(evilAttrs, u32(u32(u32(u32(u32(nil, id), 5), math.MaxUint32), math.MaxUint32), 0o100644))
		}), "list"},
		"garbage behind a status": {on(13, func(id uint32) []byte { return append(behave(13, id), strings.Repeat("\xff", 5000)...) }), "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			c := overEvil(t, &evil{answer: test.answer})
			var errs map[string]error
			grown := memory(func() {
				if err := c.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				_, errs = everything(t, c)
			})
			if errs[test.fails] == nil {
				t.Errorf("%s went well", test.fails)
			}
			if errs["upload"] == nil {
				t.Error("an upload went well whose file the server does not have")
			}
			for op, err := range errs {
				if errors.Is(err, io.EOF) {
					t.Errorf("%s: the error is the good end of a stream: %v", op, err)
				}
			}
			if limit := uint64(2 * lots); grown > limit {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// Of what a server lists that is shown which is a name. Names with control characters are left out by the
// gateway, see its List.
func TestEvilNames(t *testing.T) {
	evilOnes := []string{
		"", ".", "..", "/", "a/b", "/etc/passwd", "../x", "x/..", "a\x00b",
		".ftpgw-x", strings.Repeat("n", 256),
	}
	told := false
	c := overEvil(t, &evil{answer: func(kind byte, id uint32) []byte {
		if kind != 12 || told {
			return nil
		}
		told = true
		return names(id, append(evilOnes, "good", "ümlaut", "a b")...)
	}})
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	infos, err := c.ReadDir(t.Context(), at("/"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, info := range infos {
		got = append(got, info.Name())
		if info.Size() < 0 {
			t.Errorf("%q has the size %d", info.Name(), info.Size())
		}
	}
	if strings.Join(got, ",") != "good,ümlaut,a b" {
		t.Errorf("%q are shown", got)
	}
}

// A server that makes its greeting evil is not connected to, in bounded time and memory.
func TestEvilGreeting(t *testing.T) {
	for name, version := range map[string][]byte{
		"extensions without end": text(u32(nil, 3), strings.Repeat("e", 300<<10)),
		"extension cut off":      append(u32(nil, 3), 0xff, 0xff, 0xff, 0xff),
		"another version":        u32(nil, 6),
		"nothing":                {},
	} {
		t.Run(name, func(t *testing.T) {
			c := overEvil(t, &evil{version: version})
			grown := memory(func() {
				if err := c.WaitReady(t.Context()); err == nil {
					t.Error("connected")
				}
			})
			if grown > 32<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// The same for what comes before SSH is spoken (RFC 4253, 4.2: any lines, then the version).
func TestEvilBanner(t *testing.T) {
	for name, piece := range map[string]string{
		"line without end":    strings.Repeat("x", 32<<10),
		"lines without end":   strings.Repeat("this is no version\r\n", 1000),
		"version without end": "SSH-2.0-" + strings.Repeat("v", 32<<10),
		"nothing":             "",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() {
						defer conn.Close()
						for err := error(nil); err == nil; {
							if piece == "" {
								_, err = conn.Read(make([]byte, 1000))
							} else {
								_, err = io.WriteString(conn, piece)
							}
						}
					})
				}
			})
			key := filepath.Join(t.TempDir(), "key")
			line, err := sftpserver.NewClientKey(key)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(wg.Wait)
			t.Cleanup(func() { _ = l.Close() })
			c, _ := run(t, Config{
				Address: l.Addr().String(), User: "u", Identity: key, HostKey: line, Root: "/", Connections: 1, DialTimeout: 500 * time.Millisecond,
			})
			grown := memory(func() {
				if err := c.WaitReady(t.Context()); err == nil {
					t.Error("connected")
				}
			})
			if grown > 32<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// A channel that was given up because of what came back is closed: a server cannot have more and more of them opened.
func TestGivenUpChannelsAreClosed(t *testing.T) {
	var all, open, most atomic.Int64
	c := overEvil(t, &evil{served: func() (answer func(byte, uint32) []byte, over func()) {
		most.Store(max(most.Load(), open.Add(1)))
		over = func() { open.Add(-1) }
		if all.Add(1) == 1 { // that of the root, and of whoever finds no other one
			return nil, over
		}
		return func(kind byte, id uint32) []byte {
			if kind != 17 { // STAT
				return nil
			}
			return frame(evilStatus, text(text(u32(u32(nil, id), 1), ""), "")) // the end of the file, of which nobody has asked
		}, over
	}})
	ch, err := c.pool.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.pool.release(ch)
	for all.Load() < 3*maxChannels {
		if _, err := c.Stat(t.Context(), at("/x")); err != nil && !gateway.IsTemporary(err) {
			t.Fatal(err)
		}
	}
	if most.Load() > maxChannels+2 { // those that are just being closed
		t.Errorf("%d channels were open at the same time", most.Load())
	}
}
