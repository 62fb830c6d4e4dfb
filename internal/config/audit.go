// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Audit says where the audit log is kept.
type Audit struct {
	Dir                string // absolute
	SigningKey         string // file, absolute; empty: checkpoint.key in the state directory
	CheckpointInterval time.Duration
	SegmentSize        int64 // bytes
	SegmentAge         time.Duration
	Retention          time.Duration // 0: for ever
	SpaceWarning       int64         // bytes
	TraceDenials       bool          // the record of a denial says what each rule said
	Sinks              []Sink
}

// Bounds: of retention_days, the floor of NERC CIP-007 R4.3 and a century, and of segment_size.
const (
	leastRetention = 90
	mostRetention  = 36500
	leastSegment   = 1 << 20 // bytes
)

func auditSpec() blockSpec {
	return blockSpec{
		name: "audit", count: "exactly one",
		meaning: "Where the audit log is kept. No transfer is confirmed whose record is not durable there.",
		attributes: []attribute{
			{name: "dir", kind: kindPath, required: true, example: `"/var/lib/ftpgw/audit"`,
				meaning: "The directory of the log. It is created where it is missing."},
			{name: "signing_key", kind: kindPath, absent: "checkpoint.key in the gateway's state_dir; where an older version has left it in the directory of the log, it is used there", example: `"/etc/ftpgw/checkpoint.key"`,
				meaning: "The file of the Ed25519 key that signs checkpoints (the C2SP signed-note format). It is made where it is missing; its public half is checkpoint.pub in the directory of the log. Whoever copies that directory must not get the key with it."},
			{name: "checkpoint_interval", kind: kindDuration, fallback: "1m", example: `"10m"`,
				meaning: "While records are written a checkpoint is signed this often, and one more when the gateway stops."},
			{name: "segment_size", kind: kindSize, fallback: "64MiB", example: `"256MiB"`,
				meaning: "A file of the log that has come to this size is finished and compressed, and the next one is begun."},
			{name: "segment_age", kind: kindDuration, fallback: "24h", example: `"1h"`,
				meaning: "The same for a file whose first record is this old."},
			{name: "retention_days", kind: kindNumber, absent: "records are kept for ever", example: `365`,
				meaning: "Files of the log whose last record is older than this number of days are removed, which is itself put on record. 90 at least. Counted are the days in which the gateway ran, so that no clock that is wrong removes anything early."},
			{name: "space_warning", kind: kindSize, fallback: "512MiB", example: `"2GiB"`,
				meaning: "When less than this is free on the file system of the log, a warning is recorded and logged. What happens when nothing is free any more is said by each zone's on_failure."},
			{name: "trace_denials", kind: kindFlag, fallback: "false", example: `true`,
				meaning: "Whether the record of a denial tells of each rule that was asked which condition it failed, in the words of `ftpgw explain`. 4 KiB at most; how many rules are left out then is recorded."},
		},
		blocks: []blockSpec{sinkSpec()},
	}
}

func (d *decoder) audit(block *hcl.Block) Audit {
	b := d.open(auditSpec(), block.Body, "", block.DefRange)
	a := Audit{Dir: b.path("dir"), SigningKey: b.path("signing_key"), CheckpointInterval: b.duration("checkpoint_interval"),
		SegmentSize: b.size("segment_size"), SegmentAge: b.duration("segment_age"), SpaceWarning: b.size("space_warning"), TraceDenials: b.flag("trace_denials"), Sinks: b.sinks()}
	const day = 24 * time.Hour
	a.Retention = time.Duration(b.number("retention_days", leastRetention, mostRetention)) * day
	if a.SegmentSize > 0 && a.SegmentSize < leastSegment {
		b.fail(b.valueRange("segment_size"), "Invalid segment_size", "A file of the log holds 1 MiB at least: each begins with a summary of all before it.")
	}
	if a.Dir == "" {
		return a
	}
	info, err := os.Stat(a.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		b.fail(b.valueRange("dir"), "Unusable dir", "The directory of the audit log cannot be looked at: %s.", osReason(err))
	case !info.IsDir():
		b.fail(b.valueRange("dir"), "Unusable dir", "There is a file in the place of the audit log's directory.")
	}
	return a
}
