// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// client is a device: an FTP client with one control connection, as simple as they are. It costs little itself, since it shares the
// machine with what it measures.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	host   string
	buffer []byte // of a download, made when it is needed
}

// patience is when something has certainly gone wrong. It is no measure of anything.
const patience = 2 * time.Minute

// greet connects and reads the greeting.
func greet(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 512), host: host}
	if err == nil {
		_, err = c.reply(220)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return c, nil
}

// login is a session that is ready for binary transfers.
func login(addr, user, password string) (*client, error) {
	c, err := greet(addr)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		code int
		line string
	}{{331, "USER " + user}, {230, "PASS " + password}, {200, "TYPE I"}} {
		if _, err := c.command(step.code, "%s", step.line); err != nil {
			_ = c.conn.Close()
			return nil, err
		}
	}
	return c, nil
}

// close takes leave.
func (c *client) close() {
	_, _ = c.command(221, "QUIT") // some just hang up
	_ = c.conn.Close()
}

func (c *client) command(want int, format string, args ...any) (string, error) {
	line := fmt.Sprintf(format, args...)
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return "", err
	}
	text, err := c.reply(want)
	if err != nil {
		return "", fmt.Errorf("%s: %w", line, err)
	}
	return text, nil
}

// reply reads one reply (RFC 959, 4.2), which must have the code or one that means the same.
func (c *client) reply(want int) (string, error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) < 4 || line[3] == '-' || line[0] < '1' || line[0] > '5' { // inside a reply of several lines
			continue
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			continue
		}
		if code != want && !(want == 150 && code == 125) && !(want == 200 && code == 202) {
			return "", fmt.Errorf("%s", strings.TrimSpace(line))
		}
		return strings.TrimSpace(line[4:]), nil
	}
}

// open asks for a passive port (RFC 2428, 3) and connects to it.
func (c *client) open() (*net.TCPConn, error) {
	text, err := c.command(229, "EPSV")
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(text, "(|||")
	port, _, ok2 := strings.Cut(rest, "|)")
	if !ok || !ok2 {
		return nil, fmt.Errorf("EPSV: %q", text)
	}
	data, err := net.DialTimeout("tcp", net.JoinHostPort(c.host, port), patience)
	if err != nil {
		return nil, err
	}
	return data.(*net.TCPConn), data.SetDeadline(time.Now().Add(patience))
}

// store uploads a file; announced says how large it is before (ALLO).
func (c *client) store(name string, content []byte, announced bool) error {
	if announced {
		if _, err := c.command(200, "ALLO %d", len(content)); err != nil {
			return err
		}
	}
	data, err := c.open()
	if err != nil {
		return err
	}
	if _, err := c.command(150, "STOR %s", name); err != nil {
		_ = data.Close()
		return err
	}
	const piece = 256 << 10
	for rest := content; len(rest) > 0 && err == nil; {
		p := rest[:min(piece, len(rest))]
		_, err = data.Write(p)
		rest = rest[len(p):]
	}
	if cerr := data.Close(); err == nil {
		err = cerr
	}
	if _, rerr := c.reply(226); rerr != nil {
		return fmt.Errorf("STOR %s: %w", name, rerr)
	}
	return err
}

// fetch downloads a file and compares it with what it must be.
func (c *client) fetch(name string, content []byte) error {
	data, err := c.open()
	if err != nil {
		return err
	}
	defer func() { _ = data.Close() }()
	if _, err := c.command(150, "RETR %s", name); err != nil {
		return err
	}
	if c.buffer == nil {
		c.buffer = make([]byte, 256<<10)
	}
	for rest := content; ; {
		n, err := data.Read(c.buffer)
		if n > len(rest) || !bytes.Equal(c.buffer[:n], rest[:n]) {
			return fmt.Errorf("RETR %s: the content is wrong", name)
		}
		rest = rest[n:]
		if err == io.EOF && len(rest) == 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("RETR %s: %d bytes are missing: %w", name, len(rest), err)
		}
	}
	_, err = c.reply(226)
	return err
}

// list reads a listing of a directory and returns how many lines it has.
func (c *client) list(dir string) (lines int, err error) {
	data, err := c.open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = data.Close() }()
	if _, err := c.command(150, "LIST %s", dir); err != nil {
		return 0, err
	}
	in := bufio.NewScanner(data)
	for in.Scan() {
		lines++
	}
	if err := in.Err(); err != nil {
		return 0, err
	}
	_, err = c.reply(226)
	return lines, err
}
