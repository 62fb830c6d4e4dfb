// SPDX-License-Identifier: Apache-2.0

// Package gateway is the path of a file between two zones: receive.go takes an upload from a device, send.go brings a download to
// it, browse.go answers what a device wants to know or change about names, forward.go delivers what was spooled. Each asks the policy
// first, does the work on a Remote, and writes the audit record before it reports success.
//
// It promises that
//   - nothing is done that the policy has not allowed, and every decision is on record with its rule and reason;
//   - an upload ends in exactly one Commit or Abort, and the only Commit that publishes a file under its final name is reached from
//     (*Incoming).Commit: everything else - an error, a reset, a cancelled context, a size that no rule allows - ends in Abort, or
//     in a Commit whose terms move an incomplete file aside where its rule wants that (expect.go);
//   - a file is taken for whole only by evidence (evidence.go), which is on record, and asked for the last time just before the
//     file appears;
//   - while it is an island (island.go) nothing crosses: everything that goes to a conduit passes one gate (gated.go), which is asked
//     once more behind all terms of a Commit;
//   - success is reported only when the file is where the rule says it must be and the record of it is durable;
//   - what is held in the spool is delivered on the same way as everything else, in order for each device and directory, once, and
//     whatever cannot be delivered is kept until somebody decides about it (forward.go, deliver.go).
//
// The package knows neither FTP nor SFTP: the front end calls its methods, and the interfaces that it needs from the far side
// stand in contract.go.
package gateway
