// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"os"
	"syscall"
)

// HasName reports whether an open file still stands under any name. One that was removed can be written and flushed like any other,
// and is gone when it is closed.
func HasName(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink > 0
}
