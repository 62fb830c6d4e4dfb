// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ftpgw/ftpgw/policy"
)

// Errors between packages are io/fs sentinels (fs.ErrNotExist, fs.ErrPermission, fs.ErrExist), syscall.Errno values where io/fs has
// none (ENOSPC, ENOTDIR, EISDIR, ENOTEMPTY, ENAMETOOLONG), the sentinels below, and errors with a method Temporary() bool; all are
// found with errors.Is and errors.As through any number of wrappings.
var (
	// ErrChanged says that a file was changed by somebody else while an upload that continues it was under way.
	ErrChanged = errors.New("the file was changed in the meantime")
	// ErrBadName says that a name cannot be used on any path of this gateway.
	ErrBadName = errors.New("the name is not allowed")
	// ErrClimbs says that a path leads above the root; it Is also ErrBadName.
	ErrClimbs = fmt.Errorf("the path leads above the root: %w", ErrBadName)
	// ErrOutside says that a symbolic link on the far side leads out of the device's home; it Is also fs.ErrPermission.
	ErrOutside = fmt.Errorf("a link leads out of the home: %w", fs.ErrPermission)
	// ErrTooMany says that a directory has more entries than may be listed.
	ErrTooMany = errors.New("the directory has too many entries")
	// ErrBadOffset says that a transfer was asked to start behind the end of the file.
	ErrBadOffset = errors.New("the offset is behind the end of the file")
	// ErrUnmet says that the far side cannot do what the rule requires of it. It is Temporary: the fault is not the file's, which
	// can pass as soon as somebody has changed the server or the rule, so a device should keep it.
	ErrUnmet = errors.New("the server cannot do what the rule requires")
	// ErrCorrupted says that the far side does not hold what was sent.
	ErrCorrupted = errors.New("the server does not hold what was sent")
	// ErrTooLarge says that no rule lets a file of this size pass.
	ErrTooLarge = errors.New("the file is larger than any rule allows")
)

// DeniedError is the policy's refusal.
type DeniedError struct {
	Decision policy.Decision
}

func (e *DeniedError) Error() string {
	if e.Decision.Rule == "" {
		return "denied by default: no rule matches"
	}
	return "denied by rule " + e.Decision.Rule + ": " + e.Decision.Reason
}

// IsTemporary reports whether trying again can help: whether err says so itself, through any wrapping.
func IsTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
