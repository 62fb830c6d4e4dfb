// SPDX-License-Identifier: Apache-2.0

// Package sftpfault is an SFTP server that breaks on command, for tests of what stands in front of it. It is the embedded server
// with a script between the channel and the files: at the n-th request of a kind it fails, falls silent, drops the connection,
// stores something else or waits, before it has done what was asked or after. It offers fsync@openssh.com, posix-rename@openssh.com,
// limits@openssh.com and check-file-name, each of which can be left out.
package sftpfault
