// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// peerConn is a connection of somebody who may ask.
type peerConn struct {
	net.Conn
	peer  Peer
	leave func() // once, when the connection is closed
}

func (c *peerConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// may reports whether the peer is heard: root, or the user that this process runs as.
func (p Peer) may() bool { return p.UID == 0 || int(p.UID) == os.Geteuid() }

// Detail is the peer for records.
func (p Peer) Detail() map[string]string {
	return map[string]string{"uid": strconv.FormatUint(uint64(p.UID), 10), "pid": strconv.Itoa(int(p.PID))}
}

// limited is the listener behind which everybody may ask, and no more than maxClients at a time.
type limited struct {
	*net.UnixListener
	server *Server
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimited(s *Server) *limited {
	return &limited{UnixListener: s.listener, server: s, slots: make(chan struct{}, maxClients), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			<-l.slots
			return nil, err
		}
		peer, err := peerOf(conn)
		if err == nil && peer.may() {
			return &peerConn{Conn: conn, peer: peer, leave: sync.OnceFunc(func() { <-l.slots })}, nil
		}
		l.server.refuse(peer, errors.Join(err, conn.Close()))
	}
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.UnixListener.Close()
}

// refusals sees to it that whoever is refused cannot fill the log.
type refusals struct {
	last    time.Time
	skipped int
}

// refusalEvery is the least time between two records of refusals; the next one counts those between.
const refusalEvery = time.Second

// refuse puts on record that somebody was turned away. It is called by the goroutine of Accept alone.
func (s *Server) refuse(p Peer, trouble error) {
	if time.Since(s.refusals.last) < refusalEvery {
		s.refusals.skipped++
		return
	}
	r := audit.Record{Event: audit.ControlRefused, Detail: p.Detail()}
	if trouble != nil {
		r.Cause = trouble.Error()
	}
	if s.refusals.skipped > 0 {
		r.Detail["refused_meanwhile"] = strconv.Itoa(s.refusals.skipped)
	}
	s.refusals = refusals{last: time.Now()}
	s.logger.Warn("a process was refused at the control socket", "uid", p.UID, "pid", p.PID)
	if err := s.log.Record(context.Background(), r); err != nil {
		s.logger.Error("a refusal at the control socket is not on record", "uid", p.UID, "pid", p.PID, "error", err)
	}
}
