// SPDX-License-Identifier: Apache-2.0

// Package quota counts what devices have moved, and holds it to the limits of the policy: how many files in an hour, how many bytes in
// a day, how fast, how many transfers at a time. What is used up stays used up across a restart.
//
// # What counts
//
// An account stands for a device, a rule, or one device under one rule (policy.Bound.Key). A transfer begins with a Grant, which
// reserves a file and the bytes that were announced in each account that binds it; bytes that were not announced are reserved as they
// come. Reservations are in memory. They become usage with Charge, which is on stable storage when Durable returns nil, and that is
// before the file appears (an upload) or before the first byte leaves (a download). So a crash at any moment forgets nothing
// that anybody could have; what it may do is to leave a charge for a file that never appeared. Close gives everything back that did
// not move in the end: all of an upload that was not published, and of a download the bytes that were not sent. What was sent is
// never given back, since nobody can take it from the device again.
//
// # Windows
//
// Both windows roll: at no moment have there been more than files_per_hour files in the 60 minutes before, or more than
// bytes_per_day bytes in the 24 hours before. Usage is kept in slots of one minute (files) and 15 minutes (bytes). A slot counts until
// all that it can hold is older than the window, so what was used is free again after the window and at most one slot more. There
// is no full hour and no midnight at which twice as much would pass, and no time zone.
//
// # The clock
//
// Time is the store's own. While the program runs it follows the monotonic clock: whoever sets the machine's clock neither frees nor
// blocks anything. Across a restart it goes on from where it stood by as much as the machine's clock has advanced since the last frame
// of the journal, and stands still where that clock went back. ClockSet writes a frame when the clock was set, so that the jump does
// not count as time that has passed.
//
// # Files
//
//	journal          a snapshot of all accounts, and behind it what was charged since
//	journal.damaged  the last journal that could not be read as a whole, for whoever wants to know
//
// A journal is lines; each is one frame: the CRC-32C of the rest in eight hexadecimal digits, a blank, and JSON. The first frame is a
// snapshot. Every other one is a batch, written in one system call and flushed before the next, and all of its transfers wait for it
// together. When the batches have become larger than the snapshot (and 256 KiB), the journal is replaced by a new snapshot, so that it is bounded by
// the number of accounts. A write that fails refuses the transfers that wait for it; the next one begins with a new snapshot.
//
// # Crash table
//
//	stopped                           on disk                          what Open does
//	before the write of a batch       nothing of it                    goes on; nobody was told anything
//	in the write                      a torn last frame                leaves it out; nobody was told anything
//	after the write, before the       all of it, or a torn frame       counts it, or leaves it out; nobody was told anything
//	fsync
//	after the fsync                   the batch                        counts it
//	between Charge and the end of     the batch, without what was      counts it: the file may have appeared
//	the transfer                      given back
//	while the journal is replaced     the old one or the new one,      goes on; both hold all that anybody was told
//	                                  whole; perhaps a temporary       and removes the temporary
//
// A frame that is wrong with others behind it, or a snapshot that is, was not left by a crash: the file was damaged. Open then keeps
// a copy of it as journal.damaged, counts every frame that can be read, and says so in its Report: an operator must hear of it, but
// one bad sector must not end the relaying of protection records. What was in the frames that cannot be read is forgotten; it
// would have been after a day. The directory belongs to the gateway alone: no device can bring that about.
package quota
