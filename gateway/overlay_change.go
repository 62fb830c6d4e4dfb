// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// Mkdir implements Changer. While the conduit is down, a rule whose uploads are spooled has directories wait like files.
func (o *overlay) Mkdir(ctx context.Context, l Location) error {
	if _, ok := o.newest(l); ok {
		return fmt.Errorf("mkdir %s: %w", l, fs.ErrExist)
	}
	err := o.Remote.Mkdir(ctx, l)
	if err == nil || !IsTemporary(err) || o.deliver.Acknowledge != policy.Spooled {
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
	held := o.held.store.Lookup(o.conduit, l.String())
	if len(held) == 0 {
		return o.Remote.Remove(ctx, l)
	}
	if isHeldDir(held[len(held)-1]) {
		return fmt.Errorf("remove %s: %w", l, syscall.EISDIR)
	}
	if err := o.across(func() error { return o.Remote.Remove(ctx, l) }); err != nil {
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
	if files, dirs := o.held.store.Children(o.conduit, l.String()); len(files)+len(dirs) > 0 {
		return fmt.Errorf("rmdir %s: %w", l, syscall.ENOTEMPTY)
	}
	held := o.held.store.Lookup(o.conduit, l.String())
	if len(held) == 0 {
		return o.Remote.RemoveDir(ctx, l)
	}
	if !isHeldDir(held[len(held)-1]) {
		return fmt.Errorf("rmdir %s: %w", l, syscall.ENOTDIR)
	}
	if err := o.across(func() error { return o.Remote.RemoveDir(ctx, l) }); err != nil {
		return err
	}
	return o.held.discard(held, "removed by the device")
}

// across does on the far side what is done in the spool, too. That there is nothing on the far side is no error then; nor is that it
// cannot be asked, where the rule lets the spool stand for it.
func (o *overlay) across(do func() error) error {
	err := do()
	if errors.Is(err, fs.ErrNotExist) || err != nil && o.showsSpool(err) {
		return nil
	}
	return err
}

// Rename implements Changer. What is held is renamed where it lies, directories with all that is held below them, so that it is
// delivered under the new name; and what is across the conduit is renamed there.
func (o *overlay) Rename(ctx context.Context, from, to Location) error {
	moved, unlock, err := o.claim(ctx, from, to)
	if err != nil {
		return err
	}
	defer unlock()
	if held, ok := o.newest(to); ok {
		if len(moved) > 0 && moved[0].ID < held.ID { // it would be delivered before what it is to replace
			return &busyError{to.String()}
		}
		if isHeldDir(held) {
			return fmt.Errorf("rename to %s: %w", to, fs.ErrExist)
		}
	}
	if len(moved) == 0 {
		if _, ok := o.newest(to); ok {
			return &busyError{to.String()}
		}
		return o.Remote.Rename(ctx, from, to)
	}
	if err := o.across(func() error { return o.Remote.Rename(ctx, from, to) }); err != nil {
		return err
	}
	return o.held.move(moved, from, to)
}

// claim locks both names and everything that is held under the old one, and returns that.
func (o *overlay) claim(ctx context.Context, from, to Location) (moved []spool.Entry, unlock func(), err error) {
	var unlocks []func()
	unlock = func() {
		for _, u := range unlocks {
			u()
		}
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	names := []string{from.String(), to.String()}
	if names[1] < names[0] { // in one order everywhere, so that two renames do not wait for each other
		names[0], names[1] = names[1], names[0]
	}
	for _, name := range names {
		u, err := o.held.lock(ctx, o.conduit, name)
		if err != nil {
			return nil, nil, err
		}
		unlocks = append(unlocks, u)
	}
	moved = o.held.store.Lookup(o.conduit, from.String())
	if len(moved) > 0 && !isHeldDir(moved[len(moved)-1]) {
		return moved, unlock, nil
	}
	below, u, err := o.claimBelow(ctx, from)
	unlocks = append(unlocks, u...)
	return append(moved, below...), unlock, err
}

// claimBelow locks what is held below a directory.
func (o *overlay) claimBelow(ctx context.Context, dir Location) (below []spool.Entry, unlocks []func(), err error) {
	prefix := strings.TrimSuffix(dir.String(), "/") + "/"
	for e := range o.held.store.All() {
		name := entryPath(e)
		if e.Conduit != o.conduit || !isLive(e) || !strings.HasPrefix(name, prefix) {
			continue
		}
		u, err := o.held.lock(ctx, o.conduit, name)
		if err != nil {
			return nil, unlocks, err
		}
		unlocks = append(unlocks, u)
		below = append(below, e)
	}
	return below, unlocks, nil
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

// Chmod implements Modifier. The spool keeps no modes: a file must be delivered first.
func (o *overlay) Chmod(ctx context.Context, l Location, mode fs.FileMode) error {
	if _, ok := o.newest(l); ok {
		return &busyError{l.String()}
	}
	return o.Remote.Chmod(ctx, l, mode)
}
