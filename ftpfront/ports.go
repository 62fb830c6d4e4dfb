// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/ftpgw/ftpgw/internal/nic"
)

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last uint16 }

// contains reports whether the port is in the range. The zero range holds none.
func (r PortRange) contains(port uint16) bool {
	return r.First > 0 && r.First <= port && port <= r.Last
}

// ports hands out the passive ports of one zone, in turn, so that a port rests as long as possible before it is used again.
type ports struct {
	PortRange
	device string // the network interface to listen at, "" for all
	mu     sync.Mutex
	next   int // offset from First
	used   map[uint16]bool
}

func newPorts(r PortRange, device string) *ports {
	return &ports{PortRange: r, device: device, used: make(map[uint16]bool)}
}

// errNoPort says that every passive port of the zone is taken.
var errNoPort = errors.New("no passive port is free")

// listenerOf makes the listeners of a zone, at one network interface where device names it. They are of TCP and nothing else: Go has a
// listener take Multipath TCP, too, where the kernel knows it (RFC 8684), and then a connection may go on from another address than the
// one that was looked at, and Landlock has no rule for the socket.
func listenerOf(device string) *net.ListenConfig {
	lc := &net.ListenConfig{Control: nic.Control(device)}
	lc.SetMultipathTCP(false)
	return lc
}

// listen opens the next free port at addr. release gives it back after the listener is closed.
func (p *ports) listen(addr netip.Addr) (l *net.TCPListener, release func(), err error) {
	lc := listenerOf(p.device)
	lc.KeepAlive = -1 // a data connection has a deadline for each step; to set keepalive takes four system calls a file
	for range int(p.Last) - int(p.First) + 1 {
		port, ok := p.take()
		if !ok {
			break
		}
		l, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(addr, port).String()) // it waits for nothing
		if err == nil {
			return l.(*net.TCPListener), func() { p.release(port) }, nil
		}
		p.release(port)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, fmt.Errorf("open a passive port: %w", err)
		}
	}
	return nil, nil, fmt.Errorf("ports %d-%d: %w", p.First, p.Last, errNoPort)
}

func (p *ports) take() (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := int(p.Last) - int(p.First) + 1
	for range size {
		port := p.First + uint16(p.next)
		p.next = (p.next + 1) % size
		if !p.used[port] {
			p.used[port] = true
			return port, true
		}
	}
	return 0, false
}

func (p *ports) release(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, port)
}

// sourceControl is for active data connections of a zone: see reuseAddress and package nic.
func sourceControl(device string) func(network, address string, c syscall.RawConn) error {
	bind := nic.Control(device)
	if bind == nil {
		return reuseAddress
	}
	return func(network, address string, c syscall.RawConn) error {
		if err := bind(network, address, c); err != nil {
			return err
		}
		return reuseAddress(network, address, c)
	}
}

// reuseAddress lets the fixed source port of active data connections be used for several devices at a time.
func reuseAddress(_, _ string, c syscall.RawConn) error {
	var serr error
	err := c.Control(func(fd uintptr) { serr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	return errors.Join(err, serr)
}

// isAddressTrouble reports whether a connection failed for its own source address, not for the device.
func isAddressTrouble(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
