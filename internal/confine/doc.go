// SPDX-License-Identifier: Apache-2.0

// Package confine takes from the process what it does not need, before the first byte of a stranger is read.
//
// For computes from a configuration which files and ports the gateway uses; Apply has the kernel refuse everything else for the
// rest of the process's life (Landlock, https://docs.kernel.org/userspace-api/landlock.html). Restart does the same by starting the
// program once more, in a thread that is confined, which is faster where there are very many ports. Harden gives up privileges that could
// be gained later, and core dumps, which would hold keys and passwords.
//
// It promises that rules only ever follow from the configuration that was in force at the start: nothing that a device, a server or a
// reload says can widen them. What it cannot promise depends on the kernel, so Apply reports what is confined and what is not.
//
// Two things are wider than one might wish. Rules about files are given for the directories that they are in, because a file that is
// replaced by rename, as certificates are when they are renewed, is another one to the kernel. And Landlock knows ports but no
// addresses: where devices may have the gateway connect to them (active mode, RFC 959), it can connect to those ports anywhere; a
// zone's active_ports narrows that down, and systemd's IPAddressAllow knows addresses.
package confine
