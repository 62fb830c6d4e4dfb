// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// script is the device's side of the dialogue that dtp holds with the library: a net.Conn whose Read gives the next command when
// the final reply to the one before has been written. A reply that refuses ends the dialogue early, but not before the last word:
// a NOOP, which the library answers only when the goroutine that it transfers in has returned.
type script struct {
	net.Conn // for the addresses; every other method is defined here

	mu       sync.Mutex
	changed  sync.Cond
	commands []string
	unread   []byte // of the command being read
	partial  []byte // of the reply being written
	awaiting bool   // the final reply to the last command, or the greeting, is still to come
	code     int    // of the last final reply before the last word
	closed   bool
	over     chan struct{} // closed with it
}

func newScript(addresses net.Conn, commands []string) *script {
	s := &script{Conn: addresses, commands: append(commands, "NOOP"), awaiting: true, over: make(chan struct{})}
	s.changed.L = &s.mu
	return s
}

// Read waits until it is the script's turn.
func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unread) == 0 {
		for s.awaiting && !s.closed {
			s.changed.Wait()
		}
		if s.closed || len(s.commands) == 0 {
			return 0, io.EOF
		}
		if s.code >= 400 {
			s.commands = s.commands[len(s.commands)-1:]
		}
		s.unread = []byte(s.commands[0] + "\r\n")
		s.commands, s.awaiting = s.commands[1:], true
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// Write takes replies and notes the code of each final one (RFC 959, 4.2: three digits and a space; 1yz is preliminary).
func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partial = append(s.partial, p...)
	for {
		line, rest, ok := bytes.Cut(s.partial, []byte("\r\n"))
		if !ok {
			return len(p), nil
		}
		s.partial = rest
		if len(line) < 4 || line[3] != ' ' {
			continue
		}
		if code, err := strconv.Atoi(string(line[:3])); err == nil && code >= 200 {
			if s.awaiting = false; len(s.commands) > 0 {
				s.code = code
			}
			s.changed.Broadcast()
		}
	}
}

// Close is the library's last word.
func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.over)
	}
	s.changed.Broadcast()
	return nil
}

// Deadlines are kept by those who can stall: the endpoint and the data connection.
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
