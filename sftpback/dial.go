// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/ftpgw/ftpgw/internal/nic"
)

// clientVersion is what the server sees of us (RFC 4253 section 4.2): no version number for scanners to collect.
const clientVersion = "SSH-2.0-ftpgw"

// dialer makes SSH connections to the one server of a conduit.
type dialer struct {
	cfg     Config
	hosts   *hostKeys
	who     identity
	connect func(ctx context.Context, cfg Config) (net.Conn, error)
}

// connectTCP is the usual way to a server.
func connectTCP(ctx context.Context, cfg Config) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: cfg.KeepAlive, Interval: cfg.KeepAlive, Count: 4},
		Control:         nic.Control(cfg.Interface),
	}
	if cfg.SourceAddress.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.SourceAddress, 0))
	}
	return d.DialContext(ctx, "tcp", cfg.Address)
}

// strong lists what is negotiated, best first: AES-GCM because it is the cheapest on machines with AES instructions. No SHA-1, no CBC.
func strong() ssh.Config {
	return ssh.Config{
		KeyExchanges: []string{
			ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519,
			ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521,
		},
		Ciphers: []string{
			ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
			ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR,
		},
		MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM},
	}
}

// dial connects, authenticates and opens the first SFTP channel, all within DialTimeout.
func (d *dialer) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DialTimeout)
	defer cancel()
	raw, err := d.connect(ctx, d.cfg)
	if err != nil {
		return nil, err // it names the address and the step
	}
	conn := newHeardConn(newJoinedConn(raw))
	// The handshake knows no context: the end of ctx closes the connection under it.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	l, err := d.start(ctx, conn)
	if stop() && err == nil {
		return l, nil
	}
	if err == nil { // ctx ended in the last moment, and the connection with it
		l.fail(ctx.Err())
		l.wait()
		err = ctx.Err()
	}
	_ = conn.Close()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("not connected within %v: %w", d.cfg.DialTimeout, err)
	}
	return nil, err
}

// start makes a connection a link. The link is of use only with a channel.
func (d *dialer) start(ctx context.Context, conn *heardConn) (*link, error) {
	client, err := d.handshake(ctx, conn)
	if err != nil {
		return nil, err
	}
	l := newLink(conn, client, d.cfg)
	ch, err := l.open()
	if err != nil {
		l.fail(err)
		l.wait()
		return nil, fmt.Errorf("open SFTP: %w", err)
	}
	l.rootErr = d.lookAtRoot(ctx, ch)
	return l, nil
}

// lookAtRoot warns the operator of a root that no device will be able to use, and returns why it is none. The connection is good all
// the same, and the root may appear later.
func (d *dialer) lookAtRoot(ctx context.Context, ch *channel) error {
	info, err := ch.stat(ctx, d.cfg.Root)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		return nil
	}
	d.cfg.Logger.Error("the conduit's root cannot be used", "root", d.cfg.Root, "error", err)
	return fmt.Errorf("the root %s could not be used when the connection was made: %w", d.cfg.Root, withoutEOF(err))
}

func (d *dialer) handshake(ctx context.Context, conn net.Conn) (*ssh.Client, error) {
	auth, release := d.who.method(ctx)
	defer release()
	cc, channels, requests, err := ssh.NewClientConn(conn, d.cfg.Address, &ssh.ClientConfig{
		Config:            strong(),
		User:              d.cfg.User,
		Auth:              []ssh.AuthMethod{auth},
		HostKeyCallback:   d.hosts.callback,
		HostKeyAlgorithms: d.hosts.algorithms,
		ClientVersion:     clientVersion,
	})
	if err != nil {
		return nil, fmt.Errorf("SSH handshake as user %q with %s: %w", d.cfg.User, d.who, err)
	}
	return ssh.NewClient(cc, channels, requests), nil
}
