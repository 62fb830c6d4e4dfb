// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// Stat describes what l leads to. A home that does not exist yet is an empty directory.
func (c *Conduit) Stat(ctx context.Context, l gateway.Location) (info fs.FileInfo, err error) {
	err = c.with(ctx, "stat", l, func(ch *channel) error {
		at, err := c.resolve(ctx, ch, l, followLast)
		if errors.Is(err, errNoHome) && l.Path == "/" {
			info = emptyHome{}
			return nil
		}
		if err != nil {
			return err
		}
		if at.info == nil {
			return fs.ErrNotExist
		}
		info = named{at.info, path.Base(l.Path)}
		if at.info.Mode().IsRegular() {
			c.filesLately.add(at.remote)
		}
		return nil
	})
	return info, err
}

// ReadDir lists a directory. A home that does not exist yet is an empty directory.
func (c *Conduit) ReadDir(ctx context.Context, l gateway.Location) (infos []fs.FileInfo, err error) {
	err = c.with(ctx, "list", l, func(ch *channel) error {
		at, err := c.resolve(ctx, ch, l, followLast)
		if errors.Is(err, errNoHome) && l.Path == "/" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := mustBeDir(at.info); err != nil {
			return err
		}
		return ch.eachPage(ctx, at.remote, func(page []fs.FileInfo) error {
			for _, info := range page {
				if !isListable(info.Name()) {
					continue
				}
				infos = append(infos, info)
				if len(infos) < manyPaths/2 && info.Mode().IsRegular() {
					c.filesLately.add(path.Join(at.remote, info.Name()))
				}
			}
			if most := c.cfg.ListingEntries; most > 0 && len(infos) > most {
				return fmt.Errorf("more than %d entries: %w", most, gateway.ErrTooMany)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return infos, nil
}

// Mkdir creates a directory, and the home where it is missing.
func (c *Conduit) Mkdir(ctx context.Context, l gateway.Location) error {
	return c.with(ctx, "mkdir", l, func(ch *channel) error {
		at, err := c.resolve(ctx, ch, l, keepLast)
		if errors.Is(err, errNoHome) {
			if err := c.makeHome(ctx, ch, l); err != nil {
				return err
			}
			at, err = c.resolve(ctx, ch, l, keepLast)
		}
		if err != nil {
			return err
		}
		if at.info != nil {
			return fs.ErrExist
		}
		return ch.makeDir(ctx, at.remote)
	})
}

// Remove removes a file, or a symbolic link itself.
func (c *Conduit) Remove(ctx context.Context, l gateway.Location) error {
	return c.with(ctx, "remove", l, func(ch *channel) error {
		at, err := c.named(ctx, ch, l)
		if err != nil {
			return err
		}
		if at.info.IsDir() {
			return syscall.EISDIR
		}
		return ch.remove(ctx, at.remote)
	})
}

// errNotEmpty ends the reading of a directory of which it is enough to know that there is something in it.
var errNotEmpty = errors.New("the directory is not empty")

// RemoveDir removes an empty directory. One that holds nothing but temporary files of the gateway is not empty: an upload is under way.
func (c *Conduit) RemoveDir(ctx context.Context, l gateway.Location) error {
	return c.with(ctx, "rmdir", l, func(ch *channel) error {
		at, err := c.named(ctx, ch, l)
		if err != nil {
			return err
		}
		if err := mustBeDir(at.info); err != nil {
			return err
		}
		err = ch.rmdir(ctx, at.remote)
		if !isFailure(err) {
			return err
		}
		if lookErr := ch.eachPage(ctx, at.remote, func([]fs.FileInfo) error { return errNotEmpty }); errors.Is(lookErr, errNotEmpty) {
			return fmt.Errorf("%w: %w", syscall.ENOTEMPTY, err)
		}
		return err
	})
}

// Rename moves a file or directory. A file under the new name is replaced in one step, or not at all.
func (c *Conduit) Rename(ctx context.Context, from, to gateway.Location) error {
	return c.with(ctx, "rename", from, func(ch *channel) error {
		old, err := c.named(ctx, ch, from)
		if err != nil {
			return err
		}
		if to.Path == "/" {
			return fmt.Errorf("%w: the home itself", fs.ErrPermission)
		}
		at, err := c.resolve(ctx, ch, to, keepLast)
		if err != nil {
			return fmt.Errorf("to %s: %w", to, err)
		}
		if err := c.move(ctx, ch, old, at); err != nil {
			return fmt.Errorf("to %s: %w", at.remote, err)
		}
		return nil
	})
}

func (c *Conduit) move(ctx context.Context, ch *channel, old, at spot) error {
	if within, ok := within(old.remote, at.remote); ok && old.info.IsDir() && within != "/" {
		return fmt.Errorf("a directory cannot be moved into itself: %w", syscall.EINVAL)
	}
	if old.info.IsDir() && c.active.below(old.remote) {
		// The temporary would move along, and could be neither published nor removed under the name it is known by.
		return &transient{errors.New("an upload into this directory is under way")}
	}
	if err := c.settleEarlier(ctx, ch, at.remote); err != nil {
		return err
	}
	if at.info == nil && !ch.has(extPosixRename) {
		return ch.rename(ctx, old.remote, at.remote)
	}
	if at.info != nil && (at.info.IsDir() || old.info.IsDir() || !ch.has(extPosixRename)) {
		return fs.ErrExist
	}
	// The same lock as that of uploads, so that none is replaced between its comparison and its rename.
	unlock, err := c.locks.Lock(ctx, at.remote)
	if err != nil {
		return err
	}
	defer unlock()
	return ch.posixRename(ctx, old.remote, at.remote)
}

// Chtimes sets the modification time, to the second, between 1970 and 2106.
func (c *Conduit) Chtimes(ctx context.Context, l gateway.Location, mtime time.Time) error {
	return c.with(ctx, "chtimes", l, func(ch *channel) error {
		if s := mtime.Unix(); s < 0 || s > math.MaxUint32 {
			return fmt.Errorf("the protocol has no way to say %v: %w", mtime.UTC().Format(time.RFC3339), syscall.EINVAL)
		}
		at, err := c.existing(ctx, ch, l)
		if err != nil {
			return err
		}
		return ch.chtimes(ctx, at.remote, mtime)
	})
}

// Chmod sets the permission bits, and no others.
func (c *Conduit) Chmod(ctx context.Context, l gateway.Location, mode fs.FileMode) error {
	return c.with(ctx, "chmod", l, func(ch *channel) error {
		at, err := c.existing(ctx, ch, l)
		if err != nil {
			return err
		}
		return ch.chmod(ctx, at.remote, mode.Perm())
	})
}

// named resolves a name that is to be removed or moved: it must exist and must not be the home.
func (c *Conduit) named(ctx context.Context, ch *channel, l gateway.Location) (spot, error) {
	if l.Path == "/" {
		return spot{}, fmt.Errorf("%w: the home itself", fs.ErrPermission)
	}
	at, err := c.resolve(ctx, ch, l, keepLast)
	if err == nil && at.info == nil {
		err = fs.ErrNotExist
	}
	return at, err
}

// existing resolves what is to be changed in place.
func (c *Conduit) existing(ctx context.Context, ch *channel, l gateway.Location) (spot, error) {
	at, err := c.resolve(ctx, ch, l, followLast)
	if err == nil && at.info == nil {
		err = fs.ErrNotExist
	}
	return at, err
}

func mustBeDir(info fs.FileInfo) error {
	switch {
	case info == nil:
		return fs.ErrNotExist
	case !info.IsDir():
		return syscall.ENOTDIR
	}
	return nil
}

// named is a file under the name by which it was asked for, which may be that of a link.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// emptyHome stands for a home that nobody has written to.
type emptyHome struct{}

func (emptyHome) Name() string       { return "/" }
func (emptyHome) Size() int64        { return 0 }
func (emptyHome) Mode() fs.FileMode  { return fs.ModeDir | 0o750 }
func (emptyHome) ModTime() time.Time { return time.Unix(0, 0) }
func (emptyHome) IsDir() bool        { return true }
func (emptyHome) Sys() any           { return nil }
