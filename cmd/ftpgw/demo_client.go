// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// demoClient is a device: just enough FTP to show the dialogue.
type demoClient struct {
	w    io.Writer
	host string
	text *textproto.Conn
	err  error // the first, after which nothing more is sent
}

// session logs a device in, lets it do its work and says goodbye.
func (p *demoPlay) session(ctx context.Context, device string, work func(*demoClient) error) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return fmt.Errorf("connect to the gateway: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	host, _, _ := net.SplitHostPort(p.addr)
	c := &demoClient{w: p.w, host: host, text: textproto.NewConn(conn)}
	defer c.text.Close()
	c.reply()
	c.command("USER " + device)
	if code := c.command("PASS " + demoPassword); code != 230 && c.err == nil {
		c.err = fmt.Errorf("%s could not log in: %d", device, code)
	}
	if c.err != nil {
		return c.err
	}
	if err := work(c); err != nil {
		return err
	}
	c.command("QUIT")
	return c.err
}

// command sends a line and returns the code of the reply.
func (c *demoClient) command(line string) int {
	code, _ := c.exchange(line)
	return code
}

func (c *demoClient) exchange(line string) (int, string) {
	if c.err != nil {
		return 0, ""
	}
	say(c.w, "     > %s", strings.Replace(line, "PASS "+demoPassword, "PASS ****", 1))
	if err := c.text.PrintfLine("%s", line); err != nil {
		c.err = fmt.Errorf("send %q: %w", line, err)
		return 0, ""
	}
	return c.reply()
}

func (c *demoClient) reply() (int, string) {
	if c.err != nil {
		return 0, ""
	}
	code, message, err := c.text.ReadResponse(0)
	if err != nil {
		c.err = fmt.Errorf("read a reply: %w", err)
		return 0, ""
	}
	say(c.w, "     < %d %s", code, message)
	return code, message
}

// transfer begins one transfer in extended passive mode.
func (c *demoClient) transfer(command string) (net.Conn, error) {
	_, text := c.exchange("EPSV")
	fields := strings.Split(text, "|")
	if len(fields) != 5 {
		return nil, errors.Join(c.err, fmt.Errorf("no port in %q", text))
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(c.host, fields[3]))
	if err != nil {
		return nil, fmt.Errorf("open the data connection: %w", err)
	}
	if code := c.command(command); code != 150 {
		return nil, errors.Join(c.err, fmt.Errorf("%s was answered with %d", command, code), conn.Close())
	}
	return conn, nil
}

func (c *demoClient) store(name string, data []byte) error {
	conn, err := c.transfer("STOR " + name)
	if err != nil {
		return err
	}
	_, err = conn.Write(data)
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	return c.complete(name)
}

func (c *demoClient) fetch(name string) ([]byte, error) {
	conn, err := c.transfer("RETR " + name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(conn)
	if err := errors.Join(err, conn.Close()); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", name, err)
	}
	return data, c.complete(name)
}

func (c *demoClient) complete(name string) error {
	if code, _ := c.reply(); code != 226 {
		return errors.Join(c.err, fmt.Errorf("the transfer of %s was answered with %d", name, code))
	}
	return nil
}
