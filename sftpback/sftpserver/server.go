// SPDX-License-Identifier: Apache-2.0

package sftpserver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// handshakeTimeout bounds the time until a client is authenticated. It is longer than clients wait themselves: on a busy machine a handshake
// takes its time.
const handshakeTimeout = 30 * time.Second

// Options say what is served to whom.
type Options struct {
	Dir           string // served as /
	User          string
	AuthorizedKey string // the user's public key, "ssh-ed25519 AAAA..."
	Listen        string // address; "127.0.0.1:0" when empty
	// Listener, where not nil, takes the connections instead: for a network that is none.
	Listener net.Listener
	// Version is how the server identifies itself (RFC 4253 section 4.2); empty for a name of its own.
	Version string
	// Wrap, where not nil, is given each SFTP channel and returns what is served instead of it: for whoever wants to see or change the
	// packets in between.
	Wrap func(io.ReadWriteCloser) io.ReadWriteCloser
}

// Server is a running server.
type Server struct {
	root     *os.Root
	dir      string
	listener net.Listener
	hostKey  ssh.PublicKey
	config   *ssh.ServerConfig
	wrap     func(io.ReadWriteCloser) io.ReadWriteCloser
	wg       sync.WaitGroup
	unhook   func() bool

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Start starts a server. It runs until ctx ends or Close is called.
func Start(ctx context.Context, o Options) (*Server, error) {
	allowed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(o.AuthorizedKey))
	if err != nil {
		return nil, fmt.Errorf("sftp server: authorized key: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sftp server: make host key: %w", err)
	}
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		return nil, fmt.Errorf("sftp server: make host key: %w", err)
	}
	s := &Server{hostKey: signer.PublicKey(), conns: make(map[net.Conn]struct{}), wrap: o.Wrap}
	s.config = &ssh.ServerConfig{
		ServerVersion: cmp.Or(o.Version, "SSH-2.0-ftpgw-sftpserver"),
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != o.User || !bytes.Equal(key.Marshal(), allowed.Marshal()) {
				return nil, fmt.Errorf("user %q may not log in with this key", c.User())
			}
			return &ssh.Permissions{}, nil
		},
	}
	s.config.AddHostKey(signer)
	if err := s.open(ctx, o); err != nil {
		return nil, err
	}
	s.wg.Go(s.accept)
	s.unhook = context.AfterFunc(ctx, func() { _ = s.shut() })
	return s, nil
}

func (s *Server) open(ctx context.Context, o Options) error {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return fmt.Errorf("sftp server: %w", err)
	}
	l := o.Listener
	if l == nil {
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(o.Listen, "127.0.0.1:0")); err != nil {
			return errors.Join(fmt.Errorf("sftp server: %w", err), root.Close())
		}
	}
	s.root, s.dir, s.listener = root, o.Dir, l
	return nil
}

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// HostKeyLine is the host key as "ssh-ed25519 AAAA...".
func (s *Server) HostKeyLine() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.hostKey)))
}

// KnownHostsLine is the server's line for a known_hosts file.
func (s *Server) KnownHostsLine() string {
	return knownhosts.Line([]string{s.Addr()}, s.hostKey)
}

// Close ends all connections and returns when everything has ended.
func (s *Server) Close() error {
	s.unhook()
	err := s.shut()
	s.wg.Wait()
	return errors.Join(err, s.root.Close())
}

// Disconnect ends all connections and goes on serving.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() // ends its handler
	}
}

// shut makes everything end.
func (s *Server) shut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // ends its handler
	}
	return s.listener.Close()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	if err := c.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return // the client has been told
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { ssh.DiscardRequests(requests) }) // refused, which answers a keepalive
	for nc := range channels {
		if nc.ChannelType() != "session" {
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions are offered")
			continue
		}
		ch, chRequests, err := nc.Accept()
		if err != nil {
			break
		}
		wg.Go(func() { s.session(ch, chRequests) })
	}
	_ = conn.Close()
	wg.Wait()
}

// session answers the requests of a channel; the one for the subsystem starts SFTP on it.
func (s *Server) session(ch ssh.Channel, requests <-chan *ssh.Request) {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = ch.Close() }()
	started := false
	for r := range requests {
		var subsystem struct{ Name string }
		ok := !started && r.Type == "subsystem" && ssh.Unmarshal(r.Payload, &subsystem) == nil && subsystem.Name == "sftp"
		if r.WantReply {
			if err := r.Reply(ok, nil); err != nil {
				return
			}
		}
		if !ok {
			continue
		}
		started = true
		wg.Go(func() {
			files := &files{root: s.root, dir: s.dir}
			var rwc io.ReadWriteCloser = ch
			if s.wrap != nil {
				rwc = s.wrap(ch)
			}
			rs := sftp.NewRequestServer(rwc, sftp.Handlers{FileGet: files, FilePut: files, FileCmd: files, FileList: files})
			_ = rs.Serve() // ends with the channel
			_ = rwc.Close()
		})
	}
}
