// SPDX-License-Identifier: Apache-2.0

// Package durable makes changes to the local file system that survive a power cut, and is the one place that knows the order of
// system calls which that takes.
//
// A file is replaced in this order (WriteFile):
//
//	open(dir/.name.*.tmp, O_CREAT|O_EXCL)   a name that nobody reads
//	write, fchmod                           the whole content
//	fsync(file)                             the content is on stable storage before any name points to it
//	close
//	rename(tmp, name)                       readers see the old file or the new one, never a part
//	fsync(dir)                              the new name is on stable storage
//
// Without the first fsync a crash can leave the new name with no content behind it; without the second one a crash can bring the
// old file back after the caller was told that the new one is there.
//
// What a returned nil promises: the change is on stable storage, as far as the kernel and the device tell the truth about fsync.
// What an error promises: the change has happened whole or not at all, and it is unknown which, because a call that failed may
// have done its work all the same (a rename on a file system whose journal then failed, an fsync that reports an older error).
// After a failed fsync nothing is tried again on the same file: Linux reports such an error once and then forgets the dirty
// pages, so a second fsync that succeeds would prove nothing.
//
// Temporary files left by a crash have names that IsTemp knows; nobody but their writer ever opens them.
package durable
