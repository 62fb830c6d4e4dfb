// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/keylock"
)

// Config describes a conduit. Name, Address, User, Root, Instance, one of Identity and IdentityAgent, and exactly one of KnownHosts
// and HostKey must be set; durations and counts that are not positive get their defaults.
type Config struct {
	Name          string // for errors and the log
	Address       string // host:port
	User          string
	Identity      string // private key file, or ""
	IdentityAgent string // socket of an ssh-agent, or ""
	KnownHosts    string // file in the format of OpenSSH's known_hosts, or ""
	HostKey       string // one line "type base64", or ""
	Root          string // absolute path on the server; nothing outside it is ever touched
	Connections   int    // SSH connections kept open (2)

	SourceAddress netip.Addr // of this machine, to dial from; the zero Addr: the kernel chooses
	Interface     string     // network interface to dial by, or ""

	DialTimeout    time.Duration // for TCP, SSH and SFTP handshake together (10 s)
	RequestTimeout time.Duration // silence after which a connection is given up (30 s)
	KeepAlive      time.Duration // between two keepalive@openssh.com (15 s)

	// ListingEntries is how many entries of one directory are read at most: one that has more is an error that Is gateway.ErrTooMany,
	// and is not read further, so that no server can fill the memory with names. 0 is for any number.
	ListingEntries int

	// Instance identifies this installation in the names of temporary files: eight of [a-z0-9].
	Instance string
	// TempDirs is the file in which a run leaves word in which directories it makes temporary files, so that Sweep of the next one finds
	// all of them. It belongs to this conduit alone. Empty: what is not below a home is not found.
	TempDirs string
	Logger   *slog.Logger
	// OnState is called when the conduit as a whole becomes usable or unusable, one call at a time and in order. It must return soon.
	OnState func(up bool, cause error)
}

// Conduit is an SFTP server across a zone boundary. Its methods are safe for concurrent use.
type Conduit struct {
	cfg         Config
	log         *slog.Logger
	pool        *pool
	leftovers   *leftovers
	dirs        *tempDirs
	locks       keylock.Locks
	active      activeFiles
	buffers     buffers
	reads       budget        // large packets that are being read
	dirsLately  *lately       // directories in which files were made
	filesLately *lately       // regular files
	far         time.Duration // the round trip from which on a large file takes several channels

	run     string        // identifies this run in the names of temporary files
	counter atomic.Uint32 // of temporary files
	started atomic.Bool
}

var _ gateway.Remote = (*Conduit)(nil)

// New loads the keys and checks the configuration; it does not use the network.
func New(cfg Config) (*Conduit, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("conduit %s: %w", cfg.Name, err)
	}
	cfg.setDefaults()
	hosts, err := cfg.hostKeys()
	if err != nil {
		return nil, fmt.Errorf("conduit %s: %w", cfg.Name, err)
	}
	who, err := loadIdentity(cfg.Identity, cfg.IdentityAgent)
	if err != nil {
		return nil, fmt.Errorf("conduit %s: %w", cfg.Name, err)
	}
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("conduit %s: make a run id: %w", cfg.Name, err)
	}
	c := &Conduit{cfg: cfg, log: cfg.Logger, run: hex.EncodeToString(id), leftovers: newLeftovers(), dirsLately: newLately(), filesLately: newLately(),
		reads: newBudget(readBudget / maxPacket), far: farAway}
	if c.dirs, err = openTempDirs(cfg.TempDirs); err != nil {
		c.log.Warn("what an earlier run has left may not be found", "error", err)
	}
	c.pool = newPool(&dialer{cfg: cfg, hosts: hosts, who: who, connect: connectTCP}, cfg)
	return c, nil
}

func (cfg *Config) check() error {
	switch {
	case cfg.User == "":
		return errors.New("no user is given")
	case !path.IsAbs(cfg.Root) || path.Clean(cfg.Root) != cfg.Root:
		return fmt.Errorf("root %q is not an absolute, clean path", cfg.Root)
	case (cfg.KnownHosts == "") == (cfg.HostKey == ""):
		return errors.New("exactly one of known hosts and host key must be given")
	case cfg.Identity == "" && cfg.IdentityAgent == "":
		return errors.New("neither an identity nor an identity agent is given")
	case len(cfg.Instance) != instanceLen || strings.Trim(cfg.Instance, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		return fmt.Errorf("instance %q is not eight of a-z and 0-9", cfg.Instance)
	}
	if _, _, err := net.SplitHostPort(cfg.Address); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	return nil
}

func (cfg *Config) setDefaults() {
	cfg.Connections = cmp.Or(max(cfg.Connections, 0), 2)
	cfg.DialTimeout = cmp.Or(max(cfg.DialTimeout, 0), 10*time.Second)
	cfg.RequestTimeout = cmp.Or(max(cfg.RequestTimeout, 0), 30*time.Second)
	cfg.KeepAlive = cmp.Or(max(cfg.KeepAlive, 0), 15*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("conduit", cfg.Name)
}

// Run keeps the conduit connected until ctx ends, and returns when all its goroutines have ended. It can be called once.
func (c *Conduit) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return fmt.Errorf("conduit %s: it runs already, or has run", c.cfg.Name)
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.removeLeftovers(ctx) })
	c.pool.run(ctx)
	wg.Wait()
	return nil
}

// WaitReady returns when the first attempt to connect has ended: nil when the conduit is up, else what is wrong.
func (c *Conduit) WaitReady(ctx context.Context) error {
	return c.fault("connect", "", c.pool.waitFirst(ctx))
}

// Available reports whether there is a connection, to a server that offers what is required. It waits, for a few seconds at most,
// where a connection was lost just now and the attempt to make another one has not ended; where the last attempt has failed it
// returns at once.
func (c *Conduit) Available(ctx context.Context, r gateway.Requirements) error {
	if r == (gateway.Requirements{}) {
		return c.fault("connect", "", c.pool.available(ctx))
	}
	ch, err := c.pool.acquire(ctx)
	if err != nil {
		return c.fault("connect", "", err)
	}
	defer c.pool.release(ch)
	return c.fault("connect", "", ch.meets(r))
}

// with runs f on a channel of the pool and dresses its error.
func (c *Conduit) with(ctx context.Context, op string, l gateway.Location, f func(*channel) error) error {
	remote := path.Join(c.cfg.Root, l.String())
	ch, err := c.pool.acquire(ctx)
	if err != nil {
		return c.fault(op, remote, err)
	}
	defer c.pool.release(ch)
	return c.fault(op, remote, f(ch))
}
