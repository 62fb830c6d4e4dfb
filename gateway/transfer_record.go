// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/hex"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// recordOf is the record of an event of this transfer. The digest is that of the whole file as published, kept bytes included.
func (in *Incoming) recordOf(e audit.Event, cause error) audit.Record {
	r := in.session.record(e)
	r.TransferFields = decisionFields(in.request.Op, in.request.Path, in.decision)
	r.Content = in.kind
	r.Transfer, r.Offset, r.Type, r.Protected, r.Conversion = in.id, in.keep, in.request.Type, in.request.Protected, in.request.Conversion
	if e != audit.TransferBegin {
		size := in.size
		r.Bytes, r.Elapsed = &size, time.Since(in.begun).Microseconds()
	}
	if e == audit.TransferCommitted {
		r.SHA256 = hex.EncodeToString(in.hash.Sum())
		r.Evidence = in.argued()
	}
	if in.kept != nil {
		r.To, r.Receipt = in.keptAs, in.kept.forRecord()
	}
	if cause != nil {
		r.Cause = cause.Error()
		r.FailedEvidence = string(failedEvidence(cause))
	}
	return r
}

func (r Receipt) forRecord() *audit.Receipt {
	return &audit.Receipt{Bytes: r.Bytes, Fsynced: r.Fsynced, Atomic: r.Atomic, Verified: string(r.Verified), Path: r.Path}
}
