// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"
)

// Audit says where the audit log is kept.
type Audit struct {
	Dir string // absolute
}

func auditSpec() blockSpec {
	return blockSpec{
		name: "audit", count: "exactly one",
		meaning: "Where the audit log is kept. No transfer is confirmed whose record is not durable there.",
		attributes: []attribute{
			{name: "dir", kind: kindPath, required: true, example: `"/var/lib/ftpgw/audit"`,
				meaning: "The directory of the log. It is created where it is missing."},
		},
	}
}

func (d *decoder) audit(block *hcl.Block) Audit {
	b := d.open(auditSpec(), block.Body, "", block.DefRange)
	a := Audit{Dir: b.path("dir")}
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
