// SPDX-License-Identifier: Apache-2.0

// Package wire is the client's side of SFTP version 3 (draft-ietf-secsh-filexfer-02), as far as it goes over one channel: requests are
// sent without waiting for the answers to those before, in the order in which they are made, and each is waited for on its own.
//
// Package sftpback has it in the place of a library's client because what a transfer costs at a distance is the number of times that
// it waits. A library whose methods wait for their answers cannot send FSYNC behind WRITE, or RENAME behind CLOSE, in one flight; it
// cannot open a file with its mode, nor read a directory page by page; and it makes a buffer for each answer to a READ, where this one
// has the channel fill the buffer of whoever asked. docs/design/0007-sftp-on-the-wire.md
// has the figures.
//
// What it promises: requests leave in the order of the calls. Every Call ends, with its answer or with the end of the channel. Whoever
// waits for a READ has its buffer back then, and not before. What a server sends is taken for what it is: an answer that is too long, of
// the wrong kind, or to nothing that was asked ends the channel.
//
// It knows nothing of time: who waits must know how long.
package wire
