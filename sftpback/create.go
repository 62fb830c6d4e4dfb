// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"io/fs"
	"path"
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
	if m.ch.dead.Load() {
		return lost(nil) // whether it was made is not to be learned here
	}
	h, err := m.opening.handle()
	if isTransient(err) || isFailure(err) {
		return err // the server may have made it all the same
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
	if !c.dirsLately.has(dir) {
		at, err = c.resolve(ctx, ch, t.Location, keepLast)
		return at, nil, err
	}
	made = c.newCreation(ch, t, dir)
	at, err = c.resolveBeside(ctx, ch, t.Location, keepLast, func() *sent {
		_ = made.send() // where it cannot be sent there are no answers to the questions before it either
		return made.opening
	})
	if err != nil || at.linked || path.Dir(at.remote) != dir || made.opening == nil {
		c.dirsLately.remove(dir)
		made.undo()
		made = nil
	}
	return at, made, err
}
