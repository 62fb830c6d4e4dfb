// SPDX-License-Identifier: Apache-2.0

//go:build linux && cgo

package confine

import (
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// threadRules lets the process list its own threads: with cgo the C library's way to reach all of them does that after each of them was
// confined (https://github.com/landlock-lsm/go-landlock/issues/39).
func threadRules() []landlock.Rule {
	return []landlock.Rule{landlock.PathAccess(ll.AccessFSReadDir, "/proc/self/task")}
}
