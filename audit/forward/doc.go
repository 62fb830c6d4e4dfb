// SPDX-License-Identifier: Apache-2.0

// Package forward sends the audit log to others: syslog collectors (RFC 5424 over UDP, TCP and TLS), journald, a stream.
//
// A Forwarder reads the log's files like any other reader, so a slow or absent receiver never has a share in what a device waits for.
// Only records that are on stable storage are sent, in order.
//
// It promises that every record is sent at least once to a receiver that comes back, however long it was away, as long as the log
// still has it. How far a receiver has come is kept in the log's directory, in a file per receiver. Syslog knows no acknowledgement:
// what was written to a connection may be lost with it. So the position follows a while behind what was sent, and with a new
// connection the records since are sent once more; the receiver tells them apart by their seq. UDP loses what it loses.
package forward
