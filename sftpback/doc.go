// SPDX-License-Identifier: Apache-2.0

// Package sftpback is the far side of the gateway: the client of one SFTP server across a zone boundary, called a conduit.
//
// A Conduit keeps a few SSH connections open from start to end (Run) and shares them among all sessions, so that no device ever
// waits for, or causes, an SSH handshake. It implements gateway.Remote: uploads that become visible only when they are whole,
// downloads that are whole or fail, and a tree of names confined to a root and a home.
//
// # What it promises
//
// The server is the pinned one. The host key is compared with the configured one before anything else is sent; a different key
// ends the connection before authentication, and there is no setting that changes this.
//
// A published file is whole. An upload is written under a hidden name in the target directory; it is flushed with
// fsync@openssh.com where the server offers that, its size is compared with what was sent, and only then is it renamed over the
// final name with posix-rename@openssh.com. What stands under the final name is always the old file or the new one. A Receipt
// says what was achieved. One thing cannot be had: SFTP has no flush of a directory, so after a power loss on the server in the
// seconds after the rename the new file may be found under its hidden name, or the old one under the final name. The data of a
// published file were flushed before (Receipt.Fsynced).
//
// A failed upload leaves nothing. The hidden file is removed; where the connection is gone it is remembered and removed as soon
// as there is one again; where the program itself is gone, Sweep of the next run removes it. In which directories it has to look a run
// leaves word of, before it makes a file there (Config.TempDirs).
//
// No call hangs. SFTP over SSH knows no time limits, so each request is watched: when its channel is silent for RequestTimeout
// the connection is closed, which fails all its requests with an error that is Temporary and names the request. Requests that
// merely queue behind others do not count as silence.
//
// A distant server costs as few round trips as the order of things allows: what can follow a request without a look at its answer is
// sent behind it at once (package wire; create.go and download.go for what is opened before all is known, store.go for what that
// means for durability). One flight is one packet of SSH where it fits into one, for which the server is woken up once.
//
// Nothing leaves the home. Every component below root and home is looked at before a byte is read or written: what was opened beside
// that look, and turns out to be another thing than it was, is closed, and removed where it was made. Symbolic links are followed only
// where the server can tell where they lead (REALPATH) and that is below the home. Between the look and the use somebody with an
// account on the server could still exchange a directory for a link; against that only the server's own chroot helps.
//
// # Errors
//
// Every error of a Conduit's methods is an *Error that names the conduit, the operation and the remote path, and says with
// Temporary whether trying again can help. The causes are found with errors.Is: fs.ErrNotExist, fs.ErrPermission, fs.ErrExist,
// syscall.ENOSPC, ENOTDIR, EISDIR, ENOTEMPTY, ENAMETOOLONG, gateway.ErrChanged, gateway.ErrBadOffset, gateway.ErrBadName. No
// error Is io.EOF. The errors of a caller's own reader or writer are returned as they are.
package sftpback
