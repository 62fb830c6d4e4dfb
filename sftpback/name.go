// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/ftpgw/ftpgw/gateway"
)

// Temporary files are named tempPrefix, instance, "-", run id (8 hex), counter (8 hex), tempSuffix, whatever the final name is, so
// that a final name of the greatest length has room for one.
const (
	tempPrefix  = gateway.ReservedPrefix
	tempSuffix  = ".part"
	instanceLen = 8
	runLen      = 8

	maxName = 255  // NAME_MAX of every file system that matters
	maxPath = 4095 // PATH_MAX of Linux without the NUL
)

// tempName is the name of the next temporary file.
func (c *Conduit) tempName() string {
	return fmt.Sprintf("%s%s-%s%08x%s", tempPrefix, c.cfg.Instance, c.run, c.counter.Add(1), tempSuffix)
}

// isStale reports whether name is that of a temporary file of this instance, but of another run.
func (c *Conduit) isStale(name string) bool {
	middle, ok := strings.CutPrefix(name, tempPrefix+c.cfg.Instance+"-")
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, tempSuffix)
	return ok && len(middle) == 2*runLen && strings.Trim(middle, "0123456789abcdef") == "" && middle[:runLen] != c.run
}

// components checks a Location and splits its path below the home. Servers answer names that are too long with SSH_FX_FAILURE, so
// the lengths are looked at here.
func (c *Conduit) components(l gateway.Location) ([]string, error) {
	for _, p := range []string{l.Home, l.Path} {
		if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0) {
			return nil, fmt.Errorf("%w: %q", gateway.ErrBadName, p)
		}
	}
	if len(c.cfg.Root)+len(l.Home)+len(l.Path) > maxPath {
		return nil, syscall.ENAMETOOLONG
	}
	names := split(l.Path)
	for _, name := range append(split(l.Home), names...) {
		if strings.HasPrefix(name, tempPrefix) {
			return nil, fmt.Errorf("%w: names that begin with %s belong to the gateway", fs.ErrPermission, tempPrefix)
		}
		if len(name) > maxName {
			return nil, syscall.ENAMETOOLONG
		}
	}
	return names, nil
}

// split is the components of an absolute, clean path.
func split(p string) []string {
	if p == "/" {
		return nil
	}
	return strings.Split(p[1:], "/")
}

// home is the remote path of a Location's home.
func (c *Conduit) home(l gateway.Location) string { return path.Join(c.cfg.Root, l.Home) }

// isListable reports whether a server's entry is shown. A name that is not a name comes from a server that tries something. Names that
// are some, and that no device could say, are the gateway's to leave out (gateway.CheckPath).
func isListable(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxName && !strings.ContainsAny(name, "/\x00") && !strings.HasPrefix(name, tempPrefix)
}
