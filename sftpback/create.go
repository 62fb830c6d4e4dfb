// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// fileMode is the mode of published files. The server's umask may be stricter; that stays.
const fileMode = 0o640

// creation is the making of a hidden file.
type creation struct {
	conduit *Conduit
	ch      *channel
	dir     gateway.Location // where it is, as the device names it
	temp    string           // remote path
	begun   time.Time
	opening *sent // nil before it is asked for
}

// newCreation prepares the making of the hidden file of an upload: what a crash could leave of it will be found.
func (c *Conduit) newCreation(ch *channel, t gateway.Target, remoteDir string) *creation {
	m := &creation{conduit: c, ch: ch, dir: dirOf(t.Location), temp: path.Join(remoteDir, c.tempName())}
	if err := c.dirs.enter(m.dir); err != nil {
		c.log.Warn("what this upload may leave behind would not be found after a crash", "path", t.Location.String(), "error", err)
	}
	return m
}

// dirOf is where the hidden file of an upload is.
func dirOf(l gateway.Location) gateway.Location {
	return gateway.Location{Home: l.Home, Path: path.Dir(l.Path)}
}

// send asks for the file.
func (m *creation) send() (err error) {
	m.begun = time.Now()
	m.opening, err = m.ch.send("open", m.temp, func() *wire.Call { return m.ch.client.Create(m.temp, fileMode) })
	return err
}

// handle waits for the file.
func (m *creation) handle() (h wire.Handle, err error) {
	err = m.ch.do("open", m.temp, func() (err error) {
		h, err = m.opening.call.Handle()
		return err
	})
	return h, err
}

// undo removes the file, in which nothing was written, or was only about to be made.
func (m *creation) undo() {
	if err := m.remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.conduit.leftovers.add(m.temp, m.dir)
		return
	}
	m.conduit.dirs.leave(m.dir)
}

func (m *creation) remove() error {
	if m.opening == nil {
		return nil
	}
	h, err := m.handle()
	if isTransient(err) {
		return err
	}
	if err != nil {
		return nil // it was not made
	}
	if err := m.ch.closeHandle(h, m.temp); err != nil {
		m.conduit.log.Debug("cannot close a temporary file", "path", m.temp, "error", err)
	}
	return m.ch.remove(context.Background(), m.temp)
}

// place finds where an upload goes. Where its directory is one that files were made in lately, the hidden file is asked for in the same
// flight, behind the look at the path: it saves a round trip, and the server cannot have the directory replaced between the two for as
// long. If the path is another than it was, nothing has been written to the file yet, and it is removed.
func (c *Conduit) place(ctx context.Context, ch *channel, t gateway.Target) (at spot, made *creation, err error) {
	dir := path.Dir(path.Join(c.home(t.Location), t.Path))
	if !c.lately.has(dir) {
		at, err = c.resolve(ctx, ch, t.Location, keepLast)
		return at, nil, err
	}
	made = c.newCreation(ch, t, dir)
	at, err = c.resolveBeside(ctx, ch, t.Location, keepLast, func() {
		_ = made.send() // where it cannot be sent there are no answers to the questions before it either
	})
	if err != nil || path.Dir(at.remote) != dir || made.opening == nil {
		c.lately.remove(dir)
		made.undo()
		made = nil
	}
	return at, made, err
}

const (
	// lateness is how long a directory counts as one that files were made in lately.
	lateness = 10 * time.Minute
	// manyDirs is how many of them are remembered.
	manyDirs = 1000
)

// directories are remote directories that were found under their names, none of them behind a symbolic link.
type directories struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func newDirectories() *directories { return &directories{seen: make(map[string]time.Time)} }

func (d *directories) has(dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.seen[dir]
	return ok && time.Since(at) < lateness
}

// add remembers a directory. When there are too many all others are forgotten: what that costs is one round trip for each.
func (d *directories) add(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.seen[dir]; !known && len(d.seen) >= manyDirs {
		clear(d.seen)
	}
	d.seen[dir] = time.Now()
}

func (d *directories) remove(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, dir)
}
