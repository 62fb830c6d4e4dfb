// SPDX-License-Identifier: Apache-2.0

// Package ftpfront listens to devices. It is the FTP server of RFC 959 in the two halves that the RFC draws:
//
// The server-PI, the protocol interpreter, is ours: it reads and limits every command line (line.go), looks the verb up
// (commands.go), keeps the state of the session (session.go), answers with one code and one fixed text for each cause (reply.go)
// and puts every command with its replies on record before the device sees the reply (exchange.go).
//
// The server-DTP, the data transfer process, is ftpserverlib: dtp.go drives it through one transfer at a time. The data
// connections it copies from and to are made by dataconn.go, so that every one is opened late, bound to the zone, checked against
// the device's address, freed early and can be interrupted at any moment.
//
// Both speak TLS where the zone does (RFC 4217): security.go answers the commands that begin it and wraps the control connection,
// datatls.go wraps data connections, tls.go holds what a zone's TLS is made of.
//
// The package promises devices the right code, fast: 4yz when trying again can help, 5yz when it cannot, and no word about
// what is behind the gateway. It knows nothing of SFTP: what a command needs is asked of package gateway.
package ftpfront
