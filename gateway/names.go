// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of names, in bytes. 255 is what the file systems behind SFTP servers allow for one name (NAME_MAX), 4096 what they allow
// for a path (PATH_MAX); a device learns of them at once instead of after its data are sent.
const (
	MaxName = 255
	MaxPath = 4096
	// MaxDepth bounds the names in a path: each costs the far side a look.
	MaxDepth = 64
)

// ReservedPrefix begins the names of temporaries on the far side. Devices neither see nor name such files.
const ReservedPrefix = ".ftpgw-"

// CheckPath refuses paths that mean different things to different parts of the way, with an error that Is ErrBadName: names that
// are not UTF-8 or hold control characters (they would forge lines in listings and logs), names too long to be created, the names of
// our own temporaries, and names that somebody on the way, or who reads a log, would take for another one (lookalike.go).
func CheckPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q is not absolute: %w", path, ErrBadName)
	case len(path) > MaxPath:
		return fmt.Errorf("path of %d bytes, at most %d: %w", len(path), MaxPath, ErrBadName)
	case strings.Count(path, "/") > MaxDepth:
		return fmt.Errorf("path of %d names, at most %d: %w", strings.Count(path, "/"), MaxDepth, ErrBadName)
	case strings.Contains(path, `\`): // what is one name here is a way elsewhere on a server that takes it for a separator
		return fmt.Errorf("path %q holds a backslash: %w", path, ErrBadName)
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q is not UTF-8: %w", path, ErrBadName)
	case strings.ContainsFunc(path, unicode.IsControl):
		return fmt.Errorf("path %q holds a control character: %w", path, ErrBadName)
	}
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "" || name == ".": // of a path that is not clean; it means nothing else
		return nil
	case name == "..":
		return ErrClimbs
	case len(name) > MaxName:
		return fmt.Errorf("name of %d bytes, at most %d: %w", len(name), MaxName, ErrBadName)
	case strings.HasPrefix(name, ReservedPrefix):
		return fmt.Errorf("name %q is reserved: %w", name, ErrBadName)
	}
	return checkLookalike(name)
}

// checkPath is CheckPath with what the configuration allows.
func (g *Gateway) checkPath(path string) error {
	switch depth := strings.Count(strings.TrimSuffix(path, "/"), "/"); {
	case g.limits.PathLength > 0 && len(path) > g.limits.PathLength:
		return fmt.Errorf("path of %d bytes, path_length is %d: %w", len(path), g.limits.PathLength, ErrBadName)
	case g.limits.PathDepth > 0 && depth > g.limits.PathDepth:
		return fmt.Errorf("path of %d names, path_depth is %d: %w", depth, g.limits.PathDepth, ErrBadName)
	}
	return CheckPath(path)
}
