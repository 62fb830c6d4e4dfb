// SPDX-License-Identifier: Apache-2.0

// Package audit remembers what happened: one record per command, decision, transfer and change, as JSON Lines that only grow.
//
// # What it promises
//
// A Record that was confirmed is on stable storage. Records have sequence numbers from 1 without gaps, across restarts, and times that
// never go backwards. Nothing is ever dropped unseen: a full queue makes callers wait, and after the first failed write nothing is taken
// (Failed, Err), because a log with a hole is worse than a gateway that stops. A record whose caller was told of an error may be in
// the log all the same; one whose caller was told that it is there always is.
//
// # Files
//
//	lock                  held (flock) by the process that writes
//	instance              8 characters [a-z0-9], made once: identifies this installation
//	audit-00000001.jsonl  the records; segments are read in the order of their names, and the last one is written
//	audit-*.jsonl.zst     a segment that is finished, compressed
//	checkpoint            the last signed head of the tree
//	checkpoint.pub        the public key of the checkpoints; the secret one is where Options.Key says
//	torn                  only while a torn tail is being recovered
//
// # Evidence
//
// Every line begins with time, seq and prev, in exactly this order and form. prev is the hash of the record before, in hex:
// SHA-256(0x00 || line without newline), which is the leaf hash of RFC 6962. Over the same hashes stands RFC 6962's Merkle tree,
// whose heads are signed as checkpoints (c2sp.org/tlog-checkpoint) at an interval and at Close. A checkpoint stands in a
// log.checkpoint record, so that it leaves the appliance with the records, and in the file "checkpoint", which covers that record,
// too. A head is signed only of records that are on stable storage, so that no crash can make a signature wrong. Verify checks all
// of this. The bytes of a line, as they were written, are the record: nothing is ever encoded again to be checked.
//
// # Writing
//
// One goroutine takes everything that is queued and writes it in one system call; what queues up meanwhile is the next batch. A Note
// is answered then: it survives a crash of this program. Where a Record waits another goroutine calls fsync, once for all that wait, and
// while it does, the next batches are written; the Records among them share the next fsync. Notes are on stable storage with the next
// fsync that somebody needs, or after at most a second.
//
// # Failure
//
// A log that has failed is tried again: its end is read as Open reads it, held to what was written before, and what is behind the last
// fsync that went well is written once more, because after an fsync that failed the kernel takes pages for clean that never came to
// the disk. Then it goes on with the notes that were accepted and a log.resumed, which says how many records were refused. Where
// the files are not those that were written it stays as it is until the program is started again.
//
// # Segments
//
// A segment that has come to its size or age is finished, and the next one appears, whole with its first record, a log.segment that
// sums up all before it: so each segment can be verified and continued without the others. A second goroutine, the keeper,
// compresses what is finished (the plain file goes when the compressed one was read again), removes what is older than the
// retention (a log.removed record comes first), and watches the space. It never holds up a record. Age is time in which the log was
// open, by the monotonic clock, which segments and checkpoints keep from run to run: a clock that is set removes nothing.
//
// # Crash table
//
//	stopped                            on disk                            what Open does
//	before the write                   nothing of the batch               continues; nobody was told anything
//	in the write                       whole lines, then a torn one       keeps the whole lines, cuts the torn one off (below)
//	after the write, before the fsync  any part of it (power cut),        the same
//	                                   or all of it (kill)
//	after the fsync                    the whole batch                    continues after it
//	in a rotation                      the old segment, whole, or         continues the last one there is; a temporary is removed
//	                                   the new one with its first record
//	in a compression                   the plain segment, and perhaps     the keeper compresses it again
//	                                   a compressed one
//	in a checkpoint                    the log, perhaps with a            the next checkpoint covers all; the file "checkpoint" is
//	                                   log.checkpoint that is whole       never ahead of what is on stable storage
//
// A torn tail is what stands after the last newline. It was never confirmed. It is recovered in this order:
//
//	write it to "torn" durably         stopped after it: the tail is still there, and it is written again
//	cut it off the segment, fsync      stopped after it: "torn" says what to record; a tail that stands there now is a piece
//	                                   of the record below and is added to "torn"
//	append log.recovered, fsync        stopped after it: the same bytes are recorded already, and only "torn" is removed
//	remove "torn"
//
// Open reads the last segment as Verify does. A complete line that is not the record that must follow, or a log that is shorter
// than its last checkpoint, was not left by a crash: Open refuses such a log and names the file and the line.
//
// # Strings
//
// Devices send bytes, JSON holds Unicode. In every string a byte that is not part of valid UTF-8 is written as the four
// characters \xNN, and a backslash is doubled so that the two cannot be confused; Read turns both back, so that a Record comes out
// of the log as it went in. (In the file JSON's own escaping comes on top: a byte 0xff is seen as \\xff, a backslash as \\\\.)
package audit
