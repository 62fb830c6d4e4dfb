// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// Mkdir implements Changer. While the conduit is down, or the directory above is held itself, a rule whose uploads are spooled has
// directories wait like files.
func (o *overlay) Mkdir(ctx context.Context, l Location) error {
	if _, ok := o.newest(l); ok {
		return fmt.Errorf("mkdir %s: %w", l, fs.ErrExist)
	}
	err := o.Remote.Mkdir(ctx, l)
	waits := IsTemporary(err) || errors.Is(err, fs.ErrNotExist) && o.isDirHere(Location{Home: l.Home, Path: path.Dir(l.Path)})
	if err == nil || !waits || o.deliver.Acknowledge != policy.Spooled {
		return err
	}
	if serr := o.held.makeDir(ctx, o.origin, o.conduit, l); serr != nil {
		return errors.Join(err, serr)
	}
	return nil
}

// Remove implements Changer. What is held under the name is given up, and what stands under it across the conduit is removed; while
// the conduit is down only the one can be done, and is.
func (o *overlay) Remove(ctx context.Context, l Location) error {
	unlock, err := o.held.lock(ctx, o.conduit, l.String())
	if err != nil {
		return err
	}
	defer unlock()
	held := o.versions(l)
	if len(held) == 0 {
		return o.Remote.Remove(ctx, l)
	}
	if isHeldDir(held[len(held)-1]) {
		return fmt.Errorf("remove %s: %w", l, syscall.EISDIR)
	}
	if err := o.across(held, func() error { return o.Remote.Remove(ctx, l) }); err != nil {
		return err
	}
	return o.held.discard(held, "removed by the device")
}

// RemoveDir implements Changer.
func (o *overlay) RemoveDir(ctx context.Context, l Location) error {
	unlock, err := o.held.lock(ctx, o.conduit, l.String())
	if err != nil {
		return err
	}
	defer unlock()
	if o.hasBelow(l) {
		return fmt.Errorf("rmdir %s: %w", l, syscall.ENOTEMPTY)
	}
	held := o.versions(l)
	if len(held) == 0 {
		return o.Remote.RemoveDir(ctx, l)
	}
	if !isHeldDir(held[len(held)-1]) {
		return fmt.Errorf("rmdir %s: %w", l, syscall.ENOTDIR)
	}
	if err := o.across(held, func() error { return o.Remote.RemoveDir(ctx, l) }); err != nil {
		return err
	}
	return o.held.discard(held, "removed by the device")
}

// across does on the far side what is done with what is held, too. That there is nothing on the far side is no error then; nor is that
// it cannot be asked, whatever the rule shows of it meanwhile: unless what is held may have been published already, by an attempt of
// which nobody knows the end.
func (o *overlay) across(held []spool.Entry, do func() error) error {
	err := do()
	inDoubt := slices.ContainsFunc(held, func(e spool.Entry) bool { return e.Publishing })
	if errors.Is(err, fs.ErrNotExist) || IsTemporary(err) && !inDoubt {
		return nil
	}
	return err
}

// Rename implements Changer. What is held is renamed where it lies, directories with all that is held below them, so that it is
// delivered under the new name; and what is across the conduit is renamed there.
func (o *overlay) Rename(ctx context.Context, from, to Location) error {
	if _, ok := o.newest(from); ok && from == to {
		return nil
	}
	moved, unlock, err := o.claim(ctx, from, to)
	if err != nil {
		return err
	}
	defer unlock()
	if len(moved) == 0 {
		if err := o.free(to); err != nil {
			return err
		}
		return o.Remote.Rename(ctx, from, to)
	}
	if err := o.takes(to, moved[0]); err != nil {
		return err
	}
	if err := o.across(moved, func() error { return o.Remote.Rename(ctx, from, to) }); err != nil {
		return err
	}
	// Whoever continues what stands under the new name has not looked at it yet, or is done.
	done, err := o.held.commits.Lock(ctx, nameKey(o.conduit, to.String()))
	if err != nil {
		return fmt.Errorf("rename to %s: %w", to, err)
	}
	defer done()
	return o.held.move(moved, from, to)
}

// takes returns an error where what is held cannot get a name because of what is held under that.
func (o *overlay) takes(to Location, moved spool.Entry) error {
	switch there, ok := o.newest(to); {
	case ok && moved.ID < there.ID: // it would be delivered before what it is to replace
		return &busyError{to.String()}
	case o.isDirHere(to):
		return fmt.Errorf("rename to %s: %w", to, fs.ErrExist)
	}
	return o.takesFile(to)
}

// claim locks both names and everything that is held under the old one, and returns that.
func (o *overlay) claim(ctx context.Context, from, to Location) (moved []spool.Entry, unlock func(), err error) {
	for {
		names := []string{from.String(), to.String()}
		for _, e := range o.heldUnder(from) {
			names = append(names, entryPath(e))
		}
		slices.Sort(names) // in one order everywhere, so that two renames do not wait for each other
		names = slices.Compact(names)
		if unlock, err = o.lockAll(ctx, names); err != nil {
			return nil, nil, err
		}
		moved = o.heldUnder(from)
		if !slices.ContainsFunc(moved, func(e spool.Entry) bool { return !slices.Contains(names, entryPath(e)) }) {
			return moved, unlock, nil
		}
		unlock() // something has come in between
	}
}

func (o *overlay) lockAll(ctx context.Context, names []string) (unlock func(), err error) {
	var unlocks []func()
	unlock = func() {
		for _, u := range unlocks {
			u()
		}
	}
	for _, name := range names {
		u, err := o.held.lock(ctx, o.conduit, name)
		if err != nil {
			unlock()
			return nil, err
		}
		unlocks = append(unlocks, u)
	}
	return unlock, nil
}

// heldUnder is what is held under a name and, unless that is a file's, below it.
func (o *overlay) heldUnder(l Location) []spool.Entry {
	list := o.versions(l)
	if len(list) > 0 && !isHeldDir(list[len(list)-1]) || !o.hasBelow(l) {
		return list
	}
	prefix := strings.TrimSuffix(l.String(), "/") + "/"
	for e := range o.held.store.All() {
		if e.Conduit == o.conduit && isVisible(e) && strings.HasPrefix(entryPath(e), prefix) {
			list = append(list, e)
		}
	}
	return list
}

// hasBelow reports whether something is held below a directory.
func (o *overlay) hasBelow(l Location) bool {
	files, dirs := o.held.store.Children(o.conduit, l.String())
	return len(files)+len(dirs) > 0
}

// Chtimes implements Modifier.
func (o *overlay) Chtimes(ctx context.Context, l Location, t time.Time) error {
	unlock, err := o.held.lock(ctx, o.conduit, l.String())
	if err != nil {
		return err
	}
	defer unlock()
	if e, ok := o.newest(l); ok {
		return o.held.date(e, t)
	}
	return o.Remote.Chtimes(ctx, l, t)
}

// What a delivery needs of the permission bits of what it has made across the conduit: it reads a file again where an earlier attempt
// may have published it, and puts files into directories.
const (
	neededOfFile fs.FileMode = 0o400
	neededOfDir  fs.FileMode = 0o700
)

// Chmod implements Modifier. What is held gets its mode across the conduit, when it is there. A mode that would be in the way of a
// delivery has to wait for it: the file has its 226 already.
func (o *overlay) Chmod(ctx context.Context, l Location, mode fs.FileMode) error {
	unlock, err := o.held.lock(ctx, o.conduit, l.String())
	if err != nil {
		return err
	}
	defer unlock()
	e, ok := o.newest(l)
	needed := fs.FileMode(0)
	switch {
	case ok && !isHeldDir(e):
		needed = neededOfFile
	case ok, o.hasBelow(l):
		needed = neededOfDir
	}
	switch {
	case mode&needed != needed:
		return &busyError{l.String()}
	case ok:
		return o.held.chmod(e, mode)
	}
	return o.Remote.Chmod(ctx, l, mode)
}
