// SPDX-License-Identifier: Apache-2.0

// Package bench measures the gateway from outside, as a device sees it, against what else could stand in its place. `make bench` runs
// it; a short form of it is part of `make test`, with nothing asserted about time.
//
// Everything runs on this machine, on loopback: a real sshd; in front of it the gateway (as it is delivered, with all that it does),
// rclone's FTP server where it can be built, and OpenSSH's own sftp client without anything between; a link simulator (link.go)
// where a row is about a far server; and the devices (client.go), which are this program.
//
// What makes the numbers comparable: the systems take turns, A B C A B C, on the same server and the same disk, and what is compared is
// the ratio of two measurements of the same round. The table shows the medians over all rounds. Every file that was stored is looked at
// on the server's disk afterwards, and every file that was fetched is compared byte by byte, so that a system which is fast because it
// does less of the work is found out. CPU time and memory are those of the system's own process, from /proc.
//
// rows.go is the table of what is measured, each row with its target; report.go writes docs/performance.md.
package bench
