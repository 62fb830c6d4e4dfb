// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"github.com/ftpgw/ftpgw/gateway"
)

// sweepDepth bounds how far below a home temporary files are looked for.
const sweepDepth = 32

// Sweep removes the temporary files that earlier runs of this Instance have left, and returns their paths: below the homes, and in the
// directories that those runs have noted (Config.TempDirs). No symbolic link leads out of a home. What does not exist is clean.
func (c *Conduit) Sweep(ctx context.Context, homes []string) (removed []string, err error) {
	var failures []error
	for _, home := range homes {
		l := gateway.Location{Home: home, Path: "/"}
		err := c.with(ctx, "sweep", l, func(ch *channel) error {
			if _, err := c.components(l); err != nil {
				return err
			}
			found, err := c.sweep(ctx, ch, c.home(l), sweepDepth)
			removed = append(removed, found...)
			return err
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	found, err := c.sweepNoted(ctx)
	return append(removed, found...), errors.Join(append(failures, err)...)
}

// sweepNoted looks where earlier runs have noted that there may be something, and forgets where there is nothing any more. What it cannot
// look into, or remove, the next run tries again.
func (c *Conduit) sweepNoted(ctx context.Context) (removed []string, err error) {
	var failures []error
	var clean []gateway.Location
	for _, l := range c.dirs.left() {
		err := c.with(ctx, "sweep", l, func(ch *channel) error {
			at, err := c.resolve(ctx, ch, l, followLast)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errOutside):
				return nil // it has been removed or replaced, and what was in it with it
			case err != nil:
				return err
			case at.info == nil || !at.info.IsDir():
				return nil
			}
			found, err := c.sweep(ctx, ch, at.remote, 0)
			removed = append(removed, found...)
			return err
		})
		if err != nil {
			failures = append(failures, err)
			continue
		}
		clean = append(clean, l)
	}
	if err := c.dirs.swept(clean); err != nil { // they are looked at once more by the next run
		c.log.Warn("what was swept could not be noted", "error", err)
	}
	return removed, errors.Join(failures...)
}

// sweep goes through a directory and so many levels below it. What cannot be read does not keep the rest from being swept.
func (c *Conduit) sweep(ctx context.Context, ch *channel, dir string, levels int) (removed []string, err error) {
	var failures []error
	level := []string{dir}
	for depth := 0; depth <= levels && len(level) > 0; depth++ {
		var next []string
		for _, dir := range level {
			err := ch.eachPage(ctx, dir, func(page []fs.FileInfo) error {
				for _, e := range page {
					p := path.Join(dir, e.Name())
					switch {
					case e.IsDir() && isListable(e.Name()):
						next = append(next, p)
					case e.Mode().IsRegular() && c.isStale(e.Name()):
						switch err := ch.remove(ctx, p); {
						case err == nil:
							removed = append(removed, p)
						case !errors.Is(err, fs.ErrNotExist):
							failures = append(failures, fmt.Errorf("remove %s: %w", p, err))
						}
					}
				}
				return nil
			})
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case isTransient(err):
				return removed, err
			case err != nil:
				failures = append(failures, fmt.Errorf("read %s: %w", dir, err))
			}
		}
		level = next
	}
	return removed, errors.Join(failures...)
}
