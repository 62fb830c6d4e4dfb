// SPDX-License-Identifier: Apache-2.0

package sftpfault

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// session is one SFTP channel: two goroutines, one for each direction.
type session struct {
	server    *Server
	client    io.ReadWriteCloser
	toFiles   *io.PipeWriter
	fromFiles *io.PipeReader
	once      sync.Once
	ended     chan struct{}
	answered  chan struct{} // holds one element when a request has been answered since it was last looked at

	sending chan struct{} // holds one element while a packet is sent to the client: testing/synctest knows no waiting for a sync.Mutex

	mu      sync.Mutex
	pending map[uint32]request
	handles map[string]string // path by handle
	frozen  bool
}

// request is one that has not been answered.
type request struct {
	Request
	fault *Armed // strikes when it has been carried out, or nil
}

// end ends both directions.
func (c *session) end() {
	c.once.Do(func() {
		close(c.ended)
		_ = c.client.Close()
		_ = c.toFiles.Close()
		_ = c.fromFiles.Close()
	})
}

// requests takes what the client asks.
func (c *session) requests() {
	defer c.end()
	for {
		p, err := readPacket(c.client)
		if err != nil {
			return
		}
		if p.kind() == fxpInit {
			err = writePacket(c.toFiles, p)
		} else {
			err = c.request(p)
		}
		if err != nil {
			return
		}
	}
}

// turn waits until all requests have been answered, where the server is one that works on them one after another.
func (c *session) turn() {
	for c.server.options.Ordered {
		c.mu.Lock()
		idle := len(c.pending) == 0 || c.frozen
		c.mu.Unlock()
		if idle {
			return
		}
		select {
		case <-c.answered:
		case <-c.ended:
			return
		}
	}
}

func (c *session) request(p packet) error {
	c.turn()
	op, subject, rest := parse(p)
	c.mu.Lock()
	handle := ""
	if op.handled() {
		handle = fmt.Sprintf("%p/%s", c, subject)
		subject = c.handles[subject]
	}
	frozen := c.frozen
	c.mu.Unlock()
	if frozen {
		return nil
	}
	r := request{Request: Request{Op: op, Path: subject, Handle: handle}}
	if op != limits {
		r.fault = c.server.note(r.Request)
	}
	if r.fault != nil && !r.fault.Done {
		var goOn bool
		if p, goOn = c.strike(r.fault, p, status(p.id(), r.fault.code())); !goOn {
			return nil
		}
		r.fault = nil
	}
	c.mu.Lock()
	c.pending[p.id()] = r
	c.mu.Unlock()
	if slices.Contains(c.server.options.Hollow, op) {
		return c.answer(status(p.id(), fxOpUnsupported))
	}
	if own := c.own(op, subject, rest, p.id()); own != nil {
		return c.answer(own)
	}
	return writePacket(c.toFiles, p)
}

// answers takes what the files' side answers.
func (c *session) answers() {
	defer c.end()
	for {
		p, err := readPacket(c.fromFiles)
		if err == nil && p.kind() == fxpVersion {
			err = writePacket(c.client, c.server.version())
		} else if err == nil {
			err = c.answer(p)
		}
		if err != nil {
			return
		}
	}
}

// answer passes the answer to a request on, unless a fault stands against it.
func (c *session) answer(p packet) error {
	c.mu.Lock()
	r := c.pending[p.id()]
	delete(c.pending, p.id())
	if p.kind() == fxpHandle {
		handle, _ := str(p[5:])
		c.handles[handle] = r.Path
	}
	c.mu.Unlock()
	defer func() {
		select {
		case c.answered <- struct{}{}:
		default:
		}
	}()
	if r.fault != nil {
		var goOn bool
		if p, goOn = c.strike(r.fault, p, status(p.id(), r.fault.code())); !goOn {
			return nil
		}
	}
	return c.send(p)
}

func (c *session) send(p packet) error {
	c.sending <- struct{}{}
	defer func() { <-c.sending }()
	c.mu.Lock()
	frozen := c.frozen
	c.mu.Unlock()
	if frozen {
		return nil
	}
	return writePacket(c.client, p)
}

func (a *Armed) code() uint32 {
	if a.Code == 0 {
		return fxFailure
	}
	return a.Code
}

// strike does what a fault demands about p, a request or an answer. refusal is the answer of one that fails. It reports whether p,
// as it is then, goes on its way.
func (c *session) strike(a *Armed, p, refusal packet) (packet, bool) {
	switch a.Kind {
	case Fail:
		_ = c.send(refusal) // a client that has gone needs no answer
		return p, false
	case Hang:
		c.mu.Lock()
		c.frozen = true
		c.mu.Unlock()
		return p, false
	case Cut:
		c.server.Disconnect()
		return p, false
	case Corrupt:
		return corrupt(p), true
	case Short:
		return halve(p), true
	case Hold:
		select {
		case <-a.release:
		case <-c.ended:
			return p, false
		}
	}
	return p, true
}
