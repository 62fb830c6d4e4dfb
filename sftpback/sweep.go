// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/ftpgw/ftpgw/gateway"
)

// sweepDepth bounds how far below a home temporary files are looked for.
const sweepDepth = 32

// Sweep removes the temporary files that earlier runs of this Instance have left below the homes, and returns their paths. Symbolic
// links are not followed. A home that does not exist is clean.
func (c *Conduit) Sweep(ctx context.Context, homes []string) (removed []string, err error) {
	var failures []error
	for _, home := range homes {
		l := gateway.Location{Home: home, Path: "/"}
		err := c.with(ctx, "sweep", l, func(ch *channel) error {
			if _, err := c.components(l); err != nil {
				return err
			}
			found, err := c.sweep(ctx, ch, c.home(l))
			removed = append(removed, found...)
			return err
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	return removed, errors.Join(failures...)
}

// sweep goes through the directories level by level. One that cannot be read does not keep the others from being swept.
func (c *Conduit) sweep(ctx context.Context, ch *channel, home string) (removed []string, err error) {
	var failures []error
	level := []string{home}
	for depth := 0; depth <= sweepDepth && len(level) > 0; depth++ {
		var next []string
		for _, dir := range level {
			err := ch.eachPage(ctx, dir, func(page []fs.FileInfo) error {
				for _, e := range page {
					p := path.Join(dir, e.Name())
					switch {
					case e.IsDir() && isListable(e.Name()):
						next = append(next, p)
					case e.Mode().IsRegular() && c.isStale(e.Name()):
						if err := ch.remove(ctx, p); err != nil {
							failures = append(failures, fmt.Errorf("remove %s: %w", p, err))
							continue
						}
						removed = append(removed, p)
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
