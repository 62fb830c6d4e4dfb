// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the other end of a client's channel, by hand.
type server struct {
	t    *testing.T
	conn net.Conn
}

func connect(t *testing.T) (*Client, *server) {
	t.Helper()
	near, far := net.Pipe()
	c := New(near, map[string]string{"a@b": "1"})
	t.Cleanup(func() {
		_ = c.Close()
		_ = c.Wait()
		_ = far.Close()
	})
	return c, &server{t, far}
}

// request reads one request.
func (s *server) request() (kind byte, id uint32, body []byte) {
	s.t.Helper()
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(s.conn, head); err != nil {
		s.t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(head)-(headerSize-4))
	if _, err := io.ReadFull(s.conn, body); err != nil {
		s.t.Fatal(err)
	}
	return head[4], binary.BigEndian.Uint32(head[5:]), body
}

func (s *server) answer(p packet, id uint32) {
	p.address(id)
	_, _ = s.conn.Write(p) // the client may have gone
}

// asked is a request whose method would wait for somebody to read it.
func asked(f func() *Call) <-chan *Call {
	made := make(chan *Call, 1)
	go func() { made <- f() }()
	return made
}

// Answers may come in any order, and each reaches whoever asked.
func TestAnswersInAnyOrder(t *testing.T) {
	c, s := connect(t)
	into := make([]byte, 10)
	read := asked(func() *Call { return c.Read("h", 7, into) })
	kind, first, body := s.request()
	if kind != typeRead || string(body) != "\x00\x00\x00\x01h\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x0a" {
		t.Errorf("READ is %d %q", kind, body)
	}
	stat := asked(func() *Call { return c.Lstat("/dir/name") })
	_, second, _ := s.request()
	s.answer(newPacket(typeAttrs, 0).u32(attrSize|attrPermissions|attrTimes).u64(5).u32(posixSymlink|0o755).u32(1).u32(1700000000), second)
	info, err := (<-stat).Info()
	if err != nil || info.Name() != "name" || info.Size() != 5 || info.Mode() != fs.ModeSymlink|0o755 || !info.ModTime().Equal(time.Unix(1700000000, 0)) {
		t.Errorf("attributes: %+v, %v", info, err)
	}
	s.answer(newPacket(typeData, 0).str("seven b"), first)
	if n, err := (<-read).Data(); err != nil || string(into[:n]) != "seven b" {
		t.Errorf("data: %q, %v", into[:n], err)
	}
}

// A buffer with room in front is sent as it is, and no byte of the data changes.
func TestWriteInPlace(t *testing.T) {
	c, s := connect(t)
	for _, handle := range []Handle{"h", Handle(strings.Repeat("h", maxHandle))} {
		buffer := append(make([]byte, Room), "the data"...)
		call := asked(func() *Call { return c.Write(handle, 1<<40, buffer) })
		kind, id, body := s.request()
		want := string(packet(nil).handle(handle).u64(1 << 40).str("the data"))
		if kind != typeWrite || string(body) != want {
			t.Errorf("WRITE is %d %q", kind, body)
		}
		s.answer(newPacket(typeStatus, 0).u32(CodeOK).str("").str(""), id)
		if err := (<-call).Status(); err != nil || string(buffer[Room:]) != "the data" {
			t.Errorf("%q, %v", buffer[Room:], err)
		}
	}
}

func TestStatuses(t *testing.T) {
	c, s := connect(t)
	for code, want := range map[uint32]error{CodeOK: nil, CodeEOF: io.EOF, CodeNoSuchFile: fs.ErrNotExist, CodePermissionDenied: fs.ErrPermission} {
		call := asked(func() *Call { return c.Remove("/x") })
		_, id, _ := s.request()
		s.answer(newPacket(typeStatus, 0).u32(code), id) // without the texts, as old servers send it
		if err := (<-call).Status(); err != want {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
	}
	call := asked(func() *Call { return c.Remove("/x") })
	_, id, _ := s.request()
	s.answer(newPacket(typeStatus, 0).u32(CodeFailure).str("disk\nfull").str("en"), id)
	if err := (<-call).Status(); !IsCode(err, CodeFailure) || strings.Contains(err.Error(), "\n") {
		t.Errorf("failure: %v", err)
	}
}

// A success in the place of an answer is none.
func TestStatusInsteadOfAnswer(t *testing.T) {
	c, s := connect(t)
	call := asked(func() *Call { return c.Opendir("/x") })
	_, id, _ := s.request()
	s.answer(newPacket(typeStatus, 0).u32(CodeOK).str("").str(""), id)
	if h, err := (<-call).Handle(); err == nil {
		t.Errorf("handle %q", h)
	}
}

// What is not SFTP ends the channel, and every call with it; nothing is written behind a reader's buffer.
func TestHostileAnswers(t *testing.T) {
	for name, spoil := range map[string]func(s *server, id uint32){
		"more data than asked for": func(s *server, id uint32) { s.answer(newPacket(typeData, 0).str(strings.Repeat("x", 11)), id) },
		"data longer than packet":  func(s *server, id uint32) { s.answer(newPacket(typeData, 0).u32(9), id) },
		"data cut off":             func(s *server, id uint32) { s.answer(newPacket(typeData, 0), id) },
		"another request's answer": func(s *server, id uint32) { s.answer(newPacket(typeStatus, 0).u32(CodeOK), id+1) },
		"an endless packet":        func(s *server, _ uint32) { _, _ = s.conn.Write([]byte{0xff, 0xff, 0xff, 0xff, typeData, 0, 0, 0, 1}) },
		"an empty packet":          func(s *server, _ uint32) { _, _ = s.conn.Write(make([]byte, headerSize)) },
		"the end":                  func(s *server, _ uint32) { _ = s.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := connect(t)
			buffer := make([]byte, 20)
			call := asked(func() *Call { return c.Read("h", 0, buffer[:10]) })
			_, id, _ := s.request()
			spoil(s, id)
			if n, err := (<-call).Data(); err == nil {
				t.Errorf("%d bytes", n)
			}
			if err := c.Wait(); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the channel ended with %v", err)
			}
			if after := c.Remove("/x"); after.Status() == nil {
				t.Error("a request succeeds when the channel has ended")
			}
			if got := string(buffer[10:]); got != strings.Repeat("\x00", 10) {
				t.Errorf("behind the buffer there is %q", got)
			}
		})
	}
}

// Numbers that a server makes up cost no memory.
func TestHostileNames(t *testing.T) {
	c, s := connect(t)
	for _, body := range []packet{
		newPacket(typeName, 0).u32(1 << 31),
		newPacket(typeName, 0).u32(1).u32(1 << 31),
		newPacket(typeName, 0).u32(1).str("x").str("x").u32(attrExtended).u32(1 << 31),
	} {
		call := asked(func() *Call { return c.Readdir("h") })
		_, id, _ := s.request()
		s.answer(body, id)
		if list, err := (<-call).Names(); !errors.Is(err, errShort) {
			t.Errorf("%d names, %v", len(list), err)
		}
	}
	call := asked(func() *Call { return c.Readdir("h") })
	_, id, _ := s.request()
	page := newPacket(typeName, 0).u32(3)
	for _, name := range []string{".", "..", "file"} {
		page = page.str(name).str("").u32(0)
	}
	s.answer(page, id)
	if list, err := (<-call).Names(); err != nil || len(list) != 1 || list[0].Name() != "file" {
		t.Errorf("%v, %v", list, err)
	}
}
