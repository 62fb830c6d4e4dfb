// SPDX-License-Identifier: Apache-2.0

// Package record is the record structure of FTP in stream mode (RFC 959, 3.1.2.2 and 3.4.1): on the wire a byte of all ones escapes
// the mark behind it, which ends a record (EOR, 1), the file (EOF, 2) or both (3), or is the data byte 255 itself.
//
// In a stored file a record is a line: the bytes of the record and an LF. A last line without an LF is sent as bytes that EOF ends
// without an EOR, and received so, which makes Reader after Writer give the same bytes for every file. The other way round it holds
// for records that contain no LF; a record that does contain one would become two, so it is refused.
//
// Unlike the end of a connection, an EOF says that the file is whole: where it is missing Reader fails.
package record
