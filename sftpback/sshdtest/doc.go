// SPDX-License-Identifier: Apache-2.0

// Package sshdtest runs a real OpenSSH server for tests: on loopback, on a port that the kernel chooses, with its own keys and
// configuration, as the user who runs the tests. It can be killed, started again on the same port, stopped in its tracks and given
// another host key. All of its processes are gone when the test ends.
package sshdtest
