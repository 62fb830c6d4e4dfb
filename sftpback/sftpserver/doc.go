// SPDX-License-Identifier: Apache-2.0

// Package sftpserver is a small SSH server that offers one directory by SFTP, for the demonstration and for tests: on loopback, with
// a host key made at start and public key authentication for one user.
//
// It promises that no request reaches anything outside the directory, symbolic links included (os.Root), that posix-rename@openssh.com
// is offered, that a file is flushed when it is closed, and that Close returns when all of its goroutines have ended. It does not
// offer fsync@openssh.com or limits@openssh.com, so that a client of it is also a test of life without them. It is not meant to face
// a network.
package sftpserver
