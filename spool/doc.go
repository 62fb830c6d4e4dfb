// SPDX-License-Identifier: Apache-2.0

// Package spool holds files between the zones: a durable local store of entries, each a file with a small record about it.
//
// It knows nothing of protocols, policies or conduits: what it is told about a file are strings, kept as they are.
//
// An entry that was committed, changed or removed is so on stable storage when the call returns nil. A file is never seen before it
// is whole. Nothing that was committed is ever removed but by Remove; what turns out to be damaged is set apart and reported.
package spool
