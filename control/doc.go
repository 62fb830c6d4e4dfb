// SPDX-License-Identifier: Apache-2.0

// Package control is the operator's way into a running gateway: a unix socket on this machine that answers small requests in JSON,
// and the client for it. What can be asked is registered by the program (Route); this package knows who may ask.
//
// It promises that
//   - only root and the user that the gateway runs as are heard, by what the kernel says about the process at the other end
//     (SO_PEERCRED, unix(7)) and not only by the mode of the socket, which is 0600; whoever else comes is refused, on record;
//   - what changes anything is on record with user, process and parameters before it is carried out, and with its outcome before it
//     is answered;
//   - a socket that a dead process has left is replaced, one that answers is not;
//   - requests are bounded in size, number and time, and no goroutine outlives Serve.
//
// A request is HTTP/1.1 with a path such as /v1/status. The answer is lines of JSON: any number of {"progress":...}, then one
// {"result":...} or {"error":{"message":...}}. The status of HTTP says the same where no progress was told before. With curl:
//
//	curl --unix-socket /var/lib/ftpgw/state/control.sock http://gateway/v1/status
package control
