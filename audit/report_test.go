// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"slices"
	"testing"
	"time"
)

// A report tells what became of files in the spool, counts attacks as often as they came, and lists what operators did.
func TestReport(t *testing.T) {
	size := int64(100)
	file := func(event Event, op, acknowledge string) Record {
		return Record{Event: event, Device: "relay", TransferFields: &TransferFields{Op: op, Path: "/f", Bytes: &size, Acknowledge: acknowledge}}
	}
	attack := func(event Event, count string) Record {
		return Record{Event: event, Peer: "10.7.0.9:1024", Detail: map[string]string{"kind": "port", "count": count}}
	}
	beyond := func(used string) Record {
		return Record{
			Event: DecisionDenied, Device: "relay", TransferFields: &TransferFields{Op: "upload", Path: "/b", Rule: "records", Reason: "PRC-002"},
			Detail: map[string]string{"limit": "files_per_hour", "of": `rule "records"`, "used": used, "allowed": "600"},
		}
	}
	p := NewReporter(time.Time{}, time.Time{})
	for i, r := range []Record{
		{Event: GatewayStart}, {Event: ConfigLoaded},
		file(TransferCommitted, "upload", "spooled"), file(TransferCommitted, "append", "spooled"), file(TransferCommitted, "upload", "spooled"),
		file(TransferCommitted, "upload", "delivered"), file(TransferCommitted, "download", "spooled"),
		file(SpoolRetry, "upload", ""), file(SpoolDelivered, "upload", ""), file(SpoolDelivered, "mkdir", ""),
		file(SpoolAside, "append", ""), file(SpoolHeld, "append", ""), file(SpoolDiscarded, "append", ""),
		attack(SecurityBounce, ""), attack(SecurityBounce, "41"),
		{Event: LoginLocked, Peer: "10.7.0.9:1025", User: "relay", Detail: map[string]string{"kind": "user"}},
		{Event: DecisionDenied, Device: "relay", TransferFields: &TransferFields{Op: "upload", Path: "/a", Reason: "no rule matches"}},
		beyond("600"), beyond("601"),
		{Event: DecisionDenied, Device: "relay", Cause: "rule records refuses the content: it is text", TransferFields: &TransferFields{Op: "upload", Path: "/c", Rule: "records", Reason: "PRC-002"}},
		{Event: ControlRequest}, {Event: ControlDone}, {Event: ConduitUp},
	} {
		r.Seq = uint64(i + 1)
		p.Add(r)
	}
	got := p.Report()
	if want := []SpoolActivity{{Device: "relay", Accepted: 3, AcceptedBytes: 300, Delivered: 1, DeliveredBytes: 100, Retries: 1, Aside: 1, Held: 1, Discarded: 1}}; !slices.Equal(got.Spool, want) {
		t.Errorf("spool: %+v", got.Spool)
	}
	attacks := []Incident{{What: "security.bounce port", Peer: "10.7.0.9", Count: 42}, {Who: `"relay"`, What: "login.locked user", Peer: "10.7.0.9", Count: 1}}
	if !slices.Equal(got.Attacks, attacks) {
		t.Errorf("attacks: %+v", got.Attacks)
	}
	denials := []Incident{
		{Who: "relay", What: "upload /b", Rule: "records", Why: `beyond files_per_hour of rule "records"`, Count: 2},
		{Who: "relay", What: "upload /a", Why: "no rule matches", Count: 1},
		{Who: "relay", What: "upload /c", Rule: "records", Why: "rule records refuses the content: it is text", Count: 1},
	}
	if !slices.Equal(got.Denials, denials) {
		t.Errorf("denials: %+v", got.Denials)
	}
	var events []Event
	for _, r := range slices.Concat(got.Operators, got.Alarms) {
		events = append(events, r.Event)
	}
	if !slices.Equal(events, []Event{GatewayStart, ConfigLoaded, ControlDone, SpoolAside, ConduitUp}) {
		t.Errorf("events: %v", events)
	}
}
