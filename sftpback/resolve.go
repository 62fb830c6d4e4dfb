// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// errNoHome says that the home does not exist yet. It Is fs.ErrNotExist.
var errNoHome = fmt.Errorf("the home directory: %w", fs.ErrNotExist)

// errHomeIsFile says that there is something else under the name of the home. It Is syscall.ENOTDIR.
var errHomeIsFile = fmt.Errorf("the home: %w", syscall.ENOTDIR)

// errOutside is what a path gets that a symbolic link leads out of the home.
var errOutside = gateway.ErrOutside

// errUnclear is what a path with a symbolic link gets on a server whose REALPATH does not resolve links.
var errUnclear = fmt.Errorf("the server does not tell where a symbolic link leads: %w", fs.ErrPermission)

// lastComponent says what an operation does with a symbolic link under the last name.
type lastComponent int

const (
	followLast lastComponent = iota // acts on what it leads to
	keepLast                        // acts on the link itself
)

// spot is where a Location is on the server.
type spot struct {
	remote string      // without symbolic links below the home, except the last component where it is kept
	info   fs.FileInfo // what is there, by LSTAT; nil when there is nothing
	linked bool        // a symbolic link below the home was met on the way there
}

// resolve finds where l is and holds it inside its home. All components are looked at in one round trip; only where one is a
// symbolic link is the server asked where it leads. Nothing under the last name is not an error.
func (c *Conduit) resolve(ctx context.Context, ch *channel, l gateway.Location, last lastComponent) (spot, error) {
	return c.resolveBeside(ctx, ch, l, last, func() *sent { return nil })
}

// resolveBeside is resolve with something else in the flight of its first question, behind that. Where nothing is asked, beside is not
// called; it returns what it has sent.
func (c *Conduit) resolveBeside(ctx context.Context, ch *channel, l gateway.Location, last lastComponent, beside func() *sent) (spot, error) {
	names, err := c.components(l)
	if err != nil {
		return spot{}, err
	}
	home := c.home(l)
	var other *sent
	infos, err := ch.look(ctx, home, names, func() { other = beside() })
	if errors.Is(err, errNoHome) || errors.Is(err, errHomeIsFile) {
		if rootErr := c.checkRoot(ctx, ch); rootErr != nil {
			return spot{}, rootErr
		}
	}
	if err != nil {
		return spot{}, err
	}
	full := path.Join(home, path.Join(names...))
	for i, info := range infos[1:] {
		isLast := i == len(names)-1
		switch {
		case info == nil && !isLast:
			return spot{}, fs.ErrNotExist
		case info == nil:
		case info.Mode()&fs.ModeSymlink != 0 && (!isLast || last == followLast):
			if err := ch.settle(other); err != nil {
				return spot{}, err
			}
			return c.resolveLink(ctx, ch, home, full, last)
		case !info.IsDir() && !isLast:
			return spot{}, syscall.ENOTDIR
		}
	}
	return spot{remote: full, info: infos[len(names)]}, nil
}

// look asks about the home and each component below it at once, and sends what beside sends behind that. The home itself may be a
// link: it is the administrator's.
func (ch *channel) look(ctx context.Context, home string, names []string, beside func()) ([]fs.FileInfo, error) {
	infos := make([]fs.FileInfo, len(names)+1)
	errs := make([]error, len(names)+1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	asked := make([]*sent, len(names)+1)
	ch.together("stat", home, func() {
		at := home
		asked[0], errs[0] = ch.send("stat", home, func() *wire.Call { return ch.client.Stat(home) })
		for i, name := range names {
			at = path.Join(at, name)
			asked[i+1], errs[i+1] = ch.send("lstat", at, func() *wire.Call { return ch.client.Lstat(at) })
		}
		beside()
	})
	for i, s := range slices.Backward(asked) { // when the last one has been answered there is hardly one to wait for
		if errs[i] == nil {
			infos[i], errs[i] = s.info()
		}
	}
	if errors.Is(errs[0], fs.ErrNotExist) {
		return nil, errNoHome
	}
	for i, err := range errs {
		if errors.Is(err, fs.ErrNotExist) {
			infos[i] = nil
			continue
		}
		// Behind a link or a file, refusals mean nothing: what counts is the link or file.
		if err != nil && (i == 0 || !behindOther(infos[1:i])) {
			return nil, err
		}
	}
	if !infos[0].IsDir() {
		return nil, errHomeIsFile
	}
	return infos, nil
}

// behindOther reports whether one of the components is there, but not a directory.
func behindOther(infos []fs.FileInfo) bool {
	return slices.ContainsFunc(infos, func(info fs.FileInfo) bool { return info != nil && !info.IsDir() })
}

// resolveLink asks the server where full really is.
func (c *Conduit) resolveLink(ctx context.Context, ch *channel, home, full string, last lastComponent) (spot, error) {
	realHome, err := ch.realPath(ctx, home)
	if err != nil {
		return spot{}, err
	}
	realFull, err := ch.whereIs(ctx, full, last)
	if err != nil {
		return spot{}, err
	}
	below, ok := within(realHome, realFull)
	if !ok {
		return spot{}, errOutside
	}
	names := split(below)
	infos, err := ch.look(ctx, realHome, names, func() {})
	if err != nil {
		return spot{}, err
	}
	for i, info := range infos[1:] {
		isLast := i == len(names)-1
		switch {
		case info == nil && !isLast:
			return spot{}, fs.ErrNotExist
		case info == nil:
		case info.Mode()&fs.ModeSymlink != 0 && (!isLast || last == followLast):
			return spot{}, errUnclear
		case !info.IsDir() && !isLast:
			return spot{}, syscall.ENOTDIR
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			return spot{}, fmt.Errorf("%w: a symbolic link leads to a file of the gateway", fs.ErrPermission)
		}
	}
	return spot{remote: realFull, info: infos[len(names)], linked: true}, nil
}

// whereIs is the real path of full: of its parent where the last component is kept, or is not there.
func (ch *channel) whereIs(ctx context.Context, full string, last lastComponent) (string, error) {
	if last == followLast {
		found, err := ch.realPath(ctx, full)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
		if _, err := ch.lstat(ctx, full); err == nil {
			return "", fmt.Errorf("the symbolic link leads nowhere: %w", fs.ErrNotExist)
		}
	}
	parent, err := ch.realPath(ctx, path.Dir(full))
	if err != nil {
		return "", err
	}
	return path.Join(parent, path.Base(full)), nil
}

// within is p as seen from base, when it is base or below it.
func within(base, p string) (string, bool) {
	if !path.IsAbs(base) || !path.IsAbs(p) || path.Clean(p) != p {
		return "", false
	}
	base = path.Clean(base)
	if p == base {
		return "/", true
	}
	if base == "/" {
		return p, true
	}
	below, ok := strings.CutPrefix(p, base+"/")
	return "/" + below, ok
}

// checkRoot reports a root that is not there: something is not mounted or not configured on the server, which is no answer to what a
// device asked for and can pass. So the error is none of those that are.
func (c *Conduit) checkRoot(ctx context.Context, ch *channel) error {
	switch info, err := ch.stat(ctx, c.cfg.Root); {
	case errors.Is(err, fs.ErrNotExist):
		return &transient{fmt.Errorf("the root %s does not exist on the server", c.cfg.Root)}
	case err != nil:
		return err
	case !info.IsDir():
		return &transient{fmt.Errorf("the root %s is not a directory on the server", c.cfg.Root)}
	}
	return nil
}

// makeHome creates the home of l: each missing directory below the root, but never the root, whose absence means that something is
// not mounted or not configured.
func (c *Conduit) makeHome(ctx context.Context, ch *channel, l gateway.Location) error {
	if _, err := c.components(l); err != nil {
		return err
	}
	at := c.cfg.Root
	for _, name := range split(l.Home) {
		at = path.Join(at, name)
		if err := ch.makeDir(ctx, at); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create home %s: %w", at, err)
		}
	}
	return nil
}

// makeDir creates a directory that only its owner and group can use.
func (ch *channel) makeDir(ctx context.Context, p string) error {
	if err := ch.mkdir(ctx, p); err != nil {
		if found, lookErr := ch.lstat(ctx, p); lookErr == nil && found != nil {
			return fs.ErrExist
		}
		if isFailure(err) {
			err = ch.whyNotStored(ctx, path.Dir(p), 1, err)
		}
		return err
	}
	info, err := ch.lstat(ctx, p)
	if err != nil {
		return err
	}
	// Bits are only ever taken away: the server's umask may be stricter, and a set-group-ID bit is inherited for a reason.
	const mode = 0o750
	if info.Mode().Perm()&^mode == 0 {
		return nil
	}
	kept := info.Mode() & (fs.ModeSetgid | fs.ModeSticky | mode)
	if err := ch.chmod(ctx, p, kept); err != nil && !isRefusal(err) {
		return err
	}
	return nil
}

// isRefusal reports whether a server does not let modes be set at all, which some do.
func isRefusal(err error) bool {
	return errors.Is(err, fs.ErrPermission) || isUnsupported(err) || isFailure(err)
}
