// SPDX-License-Identifier: Apache-2.0

// Package ascii converts line endings between the wire and a stored file, for transfers of FTP's type A (RFC 959, 3.1.1.1): on the
// wire a line ends in CR LF, in a stored file in LF.
//
// It promises
//   - to change nothing but line endings: Reader takes the CR out of each CR LF, Writer puts one before each LF that has none; a CR
//     elsewhere and an LF without a CR pass as they are, no line ending is added at the end, and it does not matter how the bytes
//     are cut into pieces or how long a line is;
//   - that what a device stores it gets back: Writer after Reader gives the same bytes for everything whose lines end in CR LF;
//   - to fail with an error that Is ErrNotText, and pass nothing on, where content is not text: a conversion would corrupt it.
//
// What is text: no byte 0, no control character that text files do not have, and not the beginning of a format in which bytes 13
// and 10 mean something else (UTF-16, JPEG, PNG, PDF). All bytes from 128 up are text in some encoding.
package ascii
