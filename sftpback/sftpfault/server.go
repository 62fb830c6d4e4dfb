// SPDX-License-Identifier: Apache-2.0

package sftpfault

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// Options are what a server is made of. Dir, User, AuthorizedKey, Listen and Listener are those of package sftpserver.
type Options struct {
	Dir, User, AuthorizedKey, Listen string
	Listener                         net.Listener
	// Packet is the most data that the server takes in one read or write; 0 is for a server without limits@openssh.com.
	Packet int
	// Without are the extensions that the server does not offer: "fsync", "posix-rename", "check-file-name".
	Without []Op
	// Hollow are extensions that it offers, but answers with SSH_FX_OP_UNSUPPORTED.
	Hollow []Op
	// Ordered makes a server that works on the requests of a channel one after another, as OpenSSH's does, and passes for one.
	Ordered bool
}

// orderedVersion is how a server identifies itself that passes for OpenSSH.
const orderedVersion = "SSH-2.0-OpenSSH_9.9"

// Server is a running server with a script, which is empty at first.
type Server struct {
	*sftpserver.Server
	options Options
	wg      sync.WaitGroup

	mu     sync.Mutex
	script []*Armed
	trace  []Request
}

// Start starts a server. It runs until ctx ends or Close is called.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{options: o}
	version := ""
	if o.Ordered {
		version = orderedVersion
	}
	var err error
	s.Server, err = sftpserver.Start(ctx, sftpserver.Options{
		Dir: o.Dir, User: o.User, AuthorizedKey: o.AuthorizedKey, Listen: o.Listen, Listener: o.Listener, Version: version, Wrap: s.wrap,
	})
	return s, err
}

// Close releases what is held, ends all connections and returns when everything has ended.
func (s *Server) Close() error {
	s.Disarm()
	err := s.Server.Close()
	s.wg.Wait()
	return err
}

// wrap puts a session between a client's channel and the files.
func (s *Server) wrap(client io.ReadWriteCloser) io.ReadWriteCloser {
	fromUs, toFiles := io.Pipe()
	fromFiles, toUs := io.Pipe()
	c := &session{
		server: s, client: client, toFiles: toFiles, fromFiles: fromFiles,
		pending: make(map[uint32]request), handles: make(map[string]string), ended: make(chan struct{}), answered: make(chan struct{}, 1), sending: make(chan struct{}, 1),
	}
	s.wg.Go(c.requests)
	s.wg.Go(c.answers)
	return &filesEnd{Reader: fromUs, Writer: toUs, close: func() {
		_ = fromUs.Close()
		_ = toUs.Close()
		c.end()
	}}
}

// filesEnd is the channel as the files' side sees it.
type filesEnd struct {
	io.Reader
	io.Writer
	close func()
}

func (f *filesEnd) Close() error {
	f.close()
	return nil
}
