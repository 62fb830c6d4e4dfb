// SPDX-License-Identifier: Apache-2.0

// Package inspect finds out what a file is, whatever its name says, while its bytes pass.
//
// A Stream is written every byte of one file, keeps a few of them (the first, and all of a small COMTRADE configuration), counts the
// others, and answers at the end. Types come from the signatures of github.com/gabriel-vasile/mimetype; COMTRADE (IEEE C37.111,
// IEC 60255-24), which has no signature, is recognised by its own grammar: a .cfg is one when it can be read as one, a .dat when it
// is exactly as large as its .cfg says, a .cff when both are so within it.
//
// An Expansion is written the same bytes and unpacks them on the way, to measure how much an archive or a compressed file would be:
// no header is believed. What it cannot unpack it says it cannot judge.
//
// It promises bounded memory whatever is written, and never to call something a type that it has not looked at.
package inspect
