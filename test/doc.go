// SPDX-License-Identifier: Apache-2.0

// Package test holds the tests of the whole program: the real binary, a real OpenSSH sshd behind it, and real FTP clients in front
// of it. Each file is one behaviour and is named after it.
//
// What they share: gateway_test.go runs the program, ftp_test.go is an FTP client that can do one step at a time, clients_test.go
// runs the clients of others. Every test that runs a gateway also checks, at its end, that the program exits with 0, that nothing
// panicked, that no data race was reported and that no password is in the audit log or the operator log.
//
// Tests that need a program which is not installed are skipped and say so; with FTPGW_REQUIRE_REAL set they fail instead. With
// FTPGW_RACE=1 the program under test is built with the race detector.
package test
