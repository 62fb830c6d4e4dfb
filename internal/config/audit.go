// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Audit says where the audit log is kept.
type Audit struct {
	Dir                string // absolute
	SigningKey         string // file, absolute
	CheckpointInterval time.Duration
}

func auditSpec() blockSpec {
	return blockSpec{
		name: "audit", count: "exactly one",
		meaning: "Where the audit log is kept. No transfer is confirmed whose record is not durable there.",
		attributes: []attribute{
			{name: "dir", kind: kindPath, required: true, example: `"/var/lib/ftpgw/audit"`,
				meaning: "The directory of the log. It is created where it is missing."},
			{name: "signing_key", kind: kindPath, absent: "checkpoint.key in the directory of the log", example: `"/etc/ftpgw/checkpoint.key"`,
				meaning: "The file of the Ed25519 key that signs checkpoints (the C2SP signed-note format). It is made where it is missing; its public half is checkpoint.pub in the directory of the log."},
			{name: "checkpoint_interval", kind: kindDuration, fallback: "1m", example: `"10m"`,
				meaning: "While records are written a checkpoint is signed this often, and one more when the gateway stops."},
		},
	}
}

func (d *decoder) audit(block *hcl.Block) Audit {
	b := d.open(auditSpec(), block.Body, "", block.DefRange)
	a := Audit{Dir: b.path("dir"), SigningKey: b.path("signing_key"), CheckpointInterval: b.duration("checkpoint_interval")}
	if a.SigningKey == "" && a.Dir != "" {
		a.SigningKey = filepath.Join(a.Dir, "checkpoint.key")
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
