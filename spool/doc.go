// SPDX-License-Identifier: Apache-2.0

// Package spool holds files between the zones: a durable local store of entries, each a file with a small record about it.
//
// It knows nothing of protocols, policies or conduits: what it is told about a file are strings, kept as they are.
//
// # What it promises
//
// A commit, change or removal that returned nil is on stable storage. An entry is seen whole or not at all, and what is read of it
// are the bytes that were committed: a reader that comes to the end of anything else gets ErrDamaged, never io.EOF. Nothing that was
// committed goes but by Remove; what turns out to be damaged is set apart, reported, and holds up nothing else. IDs are in the order
// of commits, whatever the clock does, and none is given twice.
//
// After a failed fsync of a file that file is given up: Linux reports such an error once, and an fsync that succeeds later proves
// nothing. After a failed fsync of a directory, or where the directory turns out to be removed, replaced or unmounted, the Spool as
// a whole has failed (Err): nothing is confirmed any more until it is opened again.
//
// # Files
//
//	version                          "ftpgw spool 1"
//	lock                             held (flock) by the process that writes; its number is in it
//	keys/NUMBER.age                  a key of the spool, encrypted to the recipients; see below
//	incoming/NAME                    uploads on their way, and records that are being replaced
//	entries/DIRECTORY/ID             an entry: its data, and behind them its record as it was committed
//	entries/DIRECTORY/ID.record      its record as it is now, once it was changed
//	damaged/ID, damaged/ID.record    what is damaged, as it was found
//
// An ID is a number of 16 hexadecimal digits; its first 13 are the directory, so that 4096 entries share one. Files have mode 0600,
// directories 0700.
//
// Each file below entries ends with a record and a footer. A record is a line of JSON (see Entry); a string in it that is not valid
// UTF-8, or begins with a quotation mark, is written as a Go string literal. The footer is a line of fixed length:
//
//	ftpgw-spool-1 DATA RECORD KEY SHA256
//
// DATA and RECORD are the bytes of data and of the record in front of it, KEY is the number of the key that both are encrypted
// under, or 0, each as 16 hexadecimal digits; SHA256 is the digest of the record and of the footer up to here. Without encryption
// the file of a device is thus the first DATA bytes. The record holds the SHA-256 of the data.
//
// # Encryption
//
// With Recipients each Open makes a key, which is stored as an age file for them. Data are an age file (age-encryption.org/v1) with
// one stanza of type "ftpgw-spool", whose body is the file key, sealed. Records are sealed without age. Sealed is
//
//	salt (32 bytes) || AES-256-GCM(key = HKDF-SHA-256(secret, salt, purpose), nonce = 0, text)
//
// with the purposes "ftpgw spool 1 file key" and "ftpgw spool 1 record". What a stolen disk shows are the number of entries, their
// sizes and the times of the files. Entries stay as they were written when encryption is turned on or off; keys that nothing needs go at
// the next Open.
//
// # Crash table
//
// Recovery is Open's. "Killed" is the end of the process; after a power cut in addition any part of what was not fsynced yet may be
// missing, and the table names what an fsync was for.
//
//	stopped in                            on disk                                 recovery
//	Create, Write                         a part in incoming                      removes it
//	Commit, before the fsync of the file  a part in incoming                      removes it
//	Commit, after it, while last is asked the whole file in incoming              removes it: nobody was told anything
//	making a directory, before its fsync  perhaps an empty directory              removes it, unless it is the last one
//	Commit, after the rename              the entry, not confirmed; after a       keeps it, if it is there: whole, since the file was
//	                                      power cut the entry or nothing          fsynced before it got the name
//	Commit, after the directory's fsync   the entry                               keeps it
//	Update, before the rename             the old record; one in incoming         removes what is in incoming
//	Update, after the rename              the new record, not confirmed; after    keeps what is there: whole, since the record was
//	                                      a power cut the old one or the new one  fsynced before it got the name
//	Update, after the directory's fsync   the new record                          keeps it
//	UpdateAll                             of each entry the old record or the     keeps what is there
//	                                      new one
//	Remove, after the data were removed   the record alone; after a power cut     removes a record without data; keeps an entry that
//	                                      perhaps both                            has both
//	Remove, after the directory's fsync   perhaps the record alone                removes it. It is removed last, behind the fsync,
//	                                                                              because data without it would be the entry as it was
//	                                                                              committed: delivered again, or not held any more
//	delivered                             an Update and, after the time of        as above
//	                                      retention, a Remove
//	setting apart, between the two        the data in damaged, the record not     moves the record after the data
//
// A commit that was not confirmed can thus be found by the next Open if the process was stopped between the rename and its
// confirmation; whoever sent the file then sends it again, and both are the same. One that was refused with an error while the
// process went on is removed by it.
//
// # What is damage
//
// At Open: a file with no footer, with a size that is not what the footer says, a record with a wrong checksum or of an unknown
// version, a record that cannot be read with EIO, a key that is missing. The data are not read then, but by who opens them. Any other
// error of the file system, or a missing identity, is no damage: Open returns it and changes nothing. To put back what was set apart,
// because its disk can be read again or it was mended: stop the program and move ID and ID.record to entries/DIRECTORY.
package spool
