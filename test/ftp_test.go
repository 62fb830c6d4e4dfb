// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is when a test gives up on something that should have happened long ago. No test measures time against it.
const patience = 60 * time.Second

// ftp is an FTP client that does what it is told, one step at a time.
type ftp struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// reply is a server's reply: its code, and its lines without code, joined by newlines.
type reply struct {
	code int
	text string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// dial connects and reads the greeting. The connection is closed when the test ends.
func dial(t testing.TB, addr string) *ftp {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	return greeted(t, conn)
}

// greeted is a client on a connection of which nothing has been read. It is closed when the test ends.
func greeted(t testing.TB, conn net.Conn) *ftp {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	f := &ftp{t: t, conn: conn, in: bufio.NewReader(conn)}
	f.expectReply("greeting", f.read(), 220)
	return f
}

// login is dial with USER and PASS.
func login(t testing.TB, addr, user, password string) *ftp {
	t.Helper()
	f := dial(t, addr)
	f.authenticate(user, password)
	return f
}

// authenticate logs in.
func (f *ftp) authenticate(user, password string) {
	f.t.Helper()
	f.expect(331, "USER %s", user)
	f.expect(230, "PASS %s", password)
	f.expect(200, "TYPE I")
}

// send sends one command.
func (f *ftp) send(format string, args ...any) {
	f.t.Helper()
	f.deadline()
	if _, err := fmt.Fprintf(f.conn, format+"\r\n", args...); err != nil {
		f.t.Fatalf("send %s: %v", fmt.Sprintf(format, args...), err)
	}
}

func (f *ftp) deadline() {
	f.t.Helper()
	if err := f.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		f.t.Fatal(err)
	}
}

// read reads one reply (RFC 959, 4.2: several lines begin with "code-" and end with "code ").
func (f *ftp) read() reply {
	f.t.Helper()
	r, err := f.tryRead()
	if err != nil {
		f.t.Fatalf("read a reply: %v", err)
	}
	return r
}

func (f *ftp) tryRead() (reply, error) {
	f.t.Helper()
	f.deadline()
	var lines []string
	code := ""
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			return reply{}, err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return reply{}, fmt.Errorf("the line %q does not end in CR LF", line)
		}
		if code == "" {
			if len(text) < 4 {
				return reply{}, fmt.Errorf("the line %q is not a reply", line)
			}
			code = text[:3]
		}
		body, last := strings.CutPrefix(text, code+" ")
		lines = append(lines, strings.TrimPrefix(body, code+"-"))
		if last {
			n, err := strconv.Atoi(code)
			return reply{n, strings.Join(lines, "\n")}, err
		}
	}
}

// cmd sends a command and reads its reply.
func (f *ftp) cmd(format string, args ...any) reply {
	f.t.Helper()
	f.send(format, args...)
	return f.read()
}

// expect is cmd with a reply that must have this code; 4 and 5 stand for any 4yz and 5yz.
func (f *ftp) expect(code int, format string, args ...any) reply {
	f.t.Helper()
	r := f.cmd(format, args...)
	f.expectReply(fmt.Sprintf(format, args...), r, code)
	return r
}

func (f *ftp) expectReply(what string, r reply, code int) {
	f.t.Helper()
	if r.code != code && r.code/100 != code {
		f.t.Fatalf("%s: got %v, want %d", what, r, code)
	}
}

var pasvNumbers = regexp.MustCompile(`\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)`)

// epsv and pasv ask for a passive port and return its address.
func (f *ftp) epsv() string {
	f.t.Helper()
	r := f.expect(229, "EPSV")
	_, rest, ok := strings.Cut(r.text, "(|||")
	port, _, ok2 := strings.Cut(rest, "|)")
	if !ok || !ok2 {
		f.t.Fatalf("EPSV: no port in %v", r)
	}
	host, _, err := net.SplitHostPort(f.conn.RemoteAddr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	return net.JoinHostPort(host, port)
}

func (f *ftp) pasv() string {
	f.t.Helper()
	r := f.expect(227, "PASV")
	m := pasvNumbers.FindStringSubmatch(r.text)
	if m == nil {
		f.t.Fatalf("PASV: no address in %v", r)
	}
	hi, _ := strconv.Atoi(m[5])
	lo, _ := strconv.Atoi(m[6])
	return fmt.Sprintf("%s.%s.%s.%s:%d", m[1], m[2], m[3], m[4], hi<<8|lo)
}

// data opens a passive data connection and sends the command that uses it; the preliminary reply must be 150 or 125.
func (f *ftp) data(format string, args ...any) *net.TCPConn {
	f.t.Helper()
	conn, r := f.tryData(format, args...)
	if conn == nil {
		f.t.Fatalf("%s: got %v, want 150", fmt.Sprintf(format, args...), r)
	}
	return conn
}

// tryData is data for a command that may be refused: then there is no connection but the reply.
func (f *ftp) tryData(format string, args ...any) (*net.TCPConn, reply) {
	f.t.Helper()
	conn, err := net.DialTimeout("tcp", f.epsv(), patience)
	if err != nil {
		f.t.Fatalf("open the data connection: %v", err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		f.t.Fatal(err)
	}
	r := f.cmd(format, args...)
	if r.code != 150 && r.code != 125 {
		_ = conn.Close()
		return nil, r
	}
	return conn.(*net.TCPConn), r
}

// store uploads and returns the final reply, be it the refusal or what came after the data.
func (f *ftp) store(path string, content io.Reader) reply {
	f.t.Helper()
	conn, r := f.tryData("STOR %s", path)
	if conn == nil {
		return r
	}
	_, err := io.Copy(conn, content)
	closing := conn.Close()
	r = f.read()
	if r.code == 226 && (err != nil || closing != nil) {
		f.t.Fatalf("STOR %s: %v after the data connection failed: %v, %v", path, r, err, closing)
	}
	return r
}

// put is store of bytes that must succeed.
func (f *ftp) put(path string, content []byte) {
	f.t.Helper()
	f.expectReply("STOR "+path, f.store(path, bytes.NewReader(content)), 226)
}

// get returns what the server sends for RETR, LIST, NLST or MLSD, which must succeed.
func (f *ftp) get(format string, args ...any) []byte {
	f.t.Helper()
	conn := f.data(format, args...)
	content, err := io.ReadAll(conn)
	if err != nil {
		f.t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
	_ = conn.Close()
	f.expectReply(fmt.Sprintf(format, args...), f.read(), 226)
	return content
}

// lines are the lines of a listing.
func lines(listing []byte) []string {
	text := strings.TrimSuffix(string(listing), "\r\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\r\n")
}

// factNames are the names of an MLSD listing (RFC 3659, 7.2: facts, one space, the name), the directory itself and its parent left out.
func factNames(t testing.TB, listing []byte) []string {
	t.Helper()
	var names []string
	for _, line := range lines(listing) {
		facts, name, ok := strings.Cut(line, " ")
		if !ok {
			t.Fatalf("the MLSD line %q has no space", line)
		}
		facts = strings.ToLower(facts)
		if strings.Contains(facts, "type=cdir;") || strings.Contains(facts, "type=pdir;") {
			continue
		}
		names = append(names, name)
	}
	return names
}

// write writes all of p to a data connection.
func write(t testing.TB, conn net.Conn, p []byte) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(p); err != nil {
		t.Fatal(err)
	}
}

// reset ends a connection with RST, as a crashed device does when its peer goes on sending.
func reset(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}
