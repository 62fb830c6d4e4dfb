// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// retryLeftovers is how often temporary files that could not be removed are tried again.
const retryLeftovers = time.Second

// leftovers are the temporary files of failed uploads that could not be removed yet.
type leftovers struct {
	wake chan struct{} // holds one element when there is something new

	mu      sync.Mutex
	paths   map[string]gateway.Location // with the directory of each
	renames map[string]string           // the final name of those that may yet be renamed
}

func newLeftovers() *leftovers {
	return &leftovers{wake: make(chan struct{}, 1), paths: make(map[string]gateway.Location), renames: make(map[string]string)}
}

func (l *leftovers) add(remote string, dir gateway.Location) {
	l.mu.Lock()
	l.paths[remote] = dir
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// addRename is add for a file that the server may have been told to rename to final.
func (l *leftovers) addRename(remote string, dir gateway.Location, final string) {
	l.mu.Lock()
	l.renames[remote] = final
	l.mu.Unlock()
	l.add(remote, dir)
}

// before are those that may yet be renamed to final.
func (l *leftovers) before(final string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, to := range l.renames {
		if to == final {
			all = append(all, p)
		}
	}
	return all
}

func (l *leftovers) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for p := range l.paths {
		all = append(all, p)
	}
	return all
}

// done forgets a file, and returns its directory.
func (l *leftovers) done(remote string) gateway.Location {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir := l.paths[remote]
	delete(l.paths, remote)
	delete(l.renames, remote)
	return dir
}

// removeLeftovers removes them whenever there is a connection, until ctx ends. Those that remain then are swept by the next run.
func (c *Conduit) removeLeftovers(ctx context.Context) {
	ticker := time.NewTicker(retryLeftovers)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.leftovers.wake:
		case <-ticker.C:
		}
		for _, p := range c.leftovers.list() {
			if !c.pool.isUp() || !c.removeLeftover(ctx, p) {
				break // later
			}
		}
	}
}

// removeLeftover reports whether the file is settled.
func (c *Conduit) removeLeftover(ctx context.Context, remote string) bool {
	ch, err := c.pool.acquire(ctx)
	if err != nil {
		return false
	}
	defer c.pool.release(ch)
	err = ch.remove(ctx, remote)
	gone := true
	switch {
	case err == nil:
		c.log.Info("removed the temporary file of a failed upload", "path", remote)
	case errors.Is(err, fs.ErrNotExist):
	case isTransient(err):
		return false
	default:
		gone = false
		c.log.Warn("cannot remove the temporary file of a failed upload", "path", remote, "error", err)
	}
	dir := c.leftovers.done(remote)
	if gone {
		c.dirs.leave(dir)
	}
	return true
}
