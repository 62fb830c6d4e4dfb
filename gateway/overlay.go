// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// overlay is the far side as devices see it where files are held in the spool: what is held stands in front of what is across the
// conduit, so that a device finds the file that it has just stored. It is made for one request.
type overlay struct {
	Remote  // the conduit
	held    *holding
	conduit string
	deliver policy.Delivery // of the rule that allowed the request
	origin  Origin
}

// heldInfo is a file in the spool, as a device sees it.
type heldInfo struct{ entry spool.Entry }

func (i heldInfo) Name() string       { return path.Base(i.entry.Path) }
func (i heldInfo) Size() int64        { return i.entry.Size }
func (i heldInfo) ModTime() time.Time { return i.entry.ModTime }
func (i heldInfo) IsDir() bool        { return isHeldDir(i.entry) }
func (i heldInfo) Sys() any           { return nil }
func (i heldInfo) Mode() fs.FileMode {
	mode := fs.FileMode(0o640)
	if i.IsDir() {
		mode = 0o750
	}
	if p, err := planOf(i.entry); err == nil && p.Mode != nil { // what is wrong with a plan is told with its delivery
		mode = *p.Mode
	}
	if i.IsDir() {
		mode |= fs.ModeDir
	}
	return mode
}

// isHeldDir reports whether an entry stands for a directory to be made rather than for a file.
func isHeldDir(e spool.Entry) bool { return e.Op == string(policy.Mkdir) }

// impliedDir is a directory that is known only because something in it is held.
type impliedDir struct{ name string }

func (d impliedDir) Name() string       { return d.name }
func (d impliedDir) Size() int64        { return 0 }
func (d impliedDir) ModTime() time.Time { return time.Unix(0, 0) } // nobody knows it, and the year 1 is no date to a device
func (d impliedDir) IsDir() bool        { return true }
func (d impliedDir) Sys() any           { return nil }
func (d impliedDir) Mode() fs.FileMode  { return fs.ModeDir | 0o750 }

// newest is what a device sees under a name of which several versions may be held.
func (o *overlay) newest(l Location) (spool.Entry, bool) {
	held := o.versions(l)
	if len(held) == 0 {
		return spool.Entry{}, false
	}
	return held[len(held)-1], true
}

// versions are all that are held under a name, the oldest first.
func (o *overlay) versions(l Location) []spool.Entry {
	return slices.DeleteFunc(o.held.store.Lookup(o.conduit, l.String()), isSuperseded)
}

// Stat implements Lister.
func (o *overlay) Stat(ctx context.Context, l Location) (fs.FileInfo, error) {
	if e, ok := o.newest(l); ok {
		return heldInfo{e}, nil
	}
	info, err := o.Remote.Stat(ctx, l)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !o.showsSpool(err) {
		return info, err
	}
	if o.hasBelow(l) || l.Path == "/" {
		return impliedDir{path.Base(l.Path)}, nil
	}
	return nil, err
}

// isDirHere reports whether the spool knows of a directory: it is held itself, or something below it.
func (o *overlay) isDirHere(l Location) bool {
	if e, ok := o.newest(l); ok {
		return isHeldDir(e)
	}
	return o.hasBelow(l)
}

// takesFile returns an error where the spool alone knows that a file can never stand under a name. What the far side knows is found out
// with the delivery: nobody waits for it before.
func (o *overlay) takesFile(l Location) error {
	if o.isDirHere(l) {
		return fmt.Errorf("a file in the place of the directory %s: %w", l, syscall.EISDIR)
	}
	for dir := path.Dir(l.Path); dir != "/"; dir = path.Dir(dir) {
		if e, ok := o.newest(Location{Home: l.Home, Path: dir}); ok && !isHeldDir(e) {
			return fmt.Errorf("a file below the file %s: %w", entryPath(e), syscall.ENOTDIR)
		}
	}
	return nil
}

// showsSpool reports whether the spool answers in the place of a far side that cannot.
func (o *overlay) showsSpool(err error) bool {
	return IsTemporary(err) && o.deliver.Offline == policy.ShowSpool
}

// ReadDir implements Lister.
func (o *overlay) ReadDir(ctx context.Context, l Location) ([]fs.FileInfo, error) {
	files, dirs := o.held.store.Children(o.conduit, l.String())
	files = slices.DeleteFunc(files, isSuperseded)
	here := o.isDirHere(l)
	infos, err := o.Remote.ReadDir(ctx, l)
	switch {
	case err == nil:
	case o.showsSpool(err):
	case errors.Is(err, fs.ErrNotExist) && here: // it is made when what is held is delivered
	default:
		return nil, err
	}
	return merge(infos, files, dirs), nil
}

// merge puts what is held in front of what is across the conduit.
func merge(infos []fs.FileInfo, files []spool.Entry, dirs []string) []fs.FileInfo {
	if len(files)+len(dirs) == 0 {
		return infos
	}
	names := make(map[string]bool, len(files))
	for _, e := range files {
		names[path.Base(e.Path)] = true
	}
	infos = slices.DeleteFunc(infos, func(i fs.FileInfo) bool { return names[i.Name()] })
	for _, i := range infos {
		names[i.Name()] = true
	}
	for _, e := range files {
		infos = append(infos, heldInfo{e})
	}
	for _, d := range dirs {
		if !names[d] {
			infos = append(infos, impliedDir{d})
		}
	}
	return infos
}

// Open implements Source.
func (o *overlay) Open(ctx context.Context, l Location, offset int64) (Download, error) {
	e, ok := o.newest(l)
	if !ok {
		return o.Remote.Open(ctx, l, offset)
	}
	d, err := o.held.open(e, offset)
	if errors.Is(err, fs.ErrNotExist) { // it was delivered in this moment
		return o.Remote.Open(ctx, l, offset)
	}
	return d, err
}

// Begin implements Destination: an upload that is to be acknowledged when it is delivered goes across the conduit. It must not
// overtake an older file of its name that is still held.
func (o *overlay) Begin(ctx context.Context, t Target) (Upload, error) {
	if o.deliver.Acknowledge == policy.Spooled {
		return o.beginHeld(t)
	}
	if err := o.free(t.Location); err != nil {
		return nil, err
	}
	up, err := o.Remote.Begin(ctx, t)
	if err != nil {
		return nil, err
	}
	return &straightUpload{Upload: up, free: func() error { return o.free(t.Location) }}, nil
}

// free returns an error while a file waits under a name.
func (o *overlay) free(l Location) error {
	if _, ok := o.newest(l); ok {
		return &busyError{l.String()}
	}
	return nil
}

// straightUpload is an upload across the conduit that gives way to one of its name which was accepted while it was on its way: that
// would replace it later.
type straightUpload struct {
	Upload
	free func() error
}

// Commit implements Upload.
func (u *straightUpload) Commit(ctx context.Context, t Terms) (Receipt, error) {
	asked := t
	t.Last = func() error {
		if err := asked.Hold(); err != nil {
			return err
		}
		return u.free()
	}
	return u.Upload.Commit(ctx, t)
}

// beginHeld begins an upload into the spool.
func (o *overlay) beginHeld(t Target) (Upload, error) {
	if err := o.takesFile(t.Location); err != nil {
		return nil, err
	}
	up, err := o.held.begin(t, o.origin, o.conduit, o.deliver)
	if err != nil {
		return nil, err
	}
	if t.Base != nil {
		up.base = func(ctx context.Context) error { return o.unchanged(ctx, t) }
	}
	return up, nil
}

// unchanged compares what a device sees under a name with the state from which an upload was continued.
func (o *overlay) unchanged(ctx context.Context, t Target) error {
	info, err := o.Stat(ctx, t.Location)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !t.Base.Exists:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil || !t.Base.Exists || info.IsDir() || info.Size() != t.Base.Size || !info.ModTime().Equal(t.Base.ModTime):
		return ErrChanged
	}
	return nil
}

// Available implements Destination.
func (o *overlay) Available(ctx context.Context, r Requirements) error {
	if o.deliver.Acknowledge != policy.Spooled {
		return o.Remote.Available(ctx, r)
	}
	// The far side is asked only where something is demanded of it: a device must not wait for a conduit that is being connected.
	if r.Fsync || r.Atomic {
		if err := o.Remote.Available(ctx, r); errors.Is(err, ErrUnmet) { // what could never be delivered is not accepted
			return err
		}
	}
	if err := o.held.store.Room(r.Room); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// busyError says that a name cannot be changed while a file under it waits to be delivered.
type busyError struct{ name string }

func (e *busyError) Error() string {
	return fmt.Sprintf("%s is waiting in the spool to be delivered", e.name)
}

// Temporary is true: it will be delivered.
func (e *busyError) Temporary() bool { return true }
