// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"maps"
	"slices"
)

// SpoolActivity is what became in a time of files that devices were told to be safe in the spool. What was accepted may be delivered
// behind the end of that time; a file that replaces one that still waits discards it.
type SpoolActivity struct {
	Device         string
	Accepted       int
	AcceptedBytes  int64
	Delivered      int
	DeliveredBytes int64
	Retries        int // deliveries that failed and were tried again
	Aside          int // deliveries that failed for good
	Held           int
	Discarded      int // given up before they were delivered, by their device or by an operator
}

// addSpool takes a record about a file in the spool into account. Directories that wait to be made are not counted.
func (p *Reporter) addSpool(r Record) {
	if r.TransferFields == nil || r.Op == "mkdir" || r.Op == "download" {
		return
	}
	var n int64
	if r.Bytes != nil {
		n = *r.Bytes
	}
	a := p.spool[r.Device]
	if a == nil {
		a = &SpoolActivity{Device: r.Device}
	}
	switch {
	case r.Event == TransferCommitted && r.Acknowledge == "spooled":
		a.Accepted++
		a.AcceptedBytes += n
	case r.Event == SpoolDelivered:
		a.Delivered++
		a.DeliveredBytes += n
	case r.Event == SpoolRetry:
		a.Retries++
	case r.Event == SpoolAside:
		a.Aside++
	case r.Event == SpoolHeld:
		a.Held++
	case r.Event == SpoolDiscarded:
		a.Discarded++
	default:
		return
	}
	p.spool[r.Device] = a
}

// spools are the activities of all devices, in the order of their names.
func (p *Reporter) spools() []SpoolActivity {
	var list []SpoolActivity
	for _, name := range slices.Sorted(maps.Keys(p.spool)) {
		list = append(list, *p.spool[name])
	}
	return list
}
