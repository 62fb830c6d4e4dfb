// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// When the log fails, a zone that is to continue does, with an alarm; all others are refused, and so is what belongs to no zone.
func TestZoneRecorder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(dir, audit.Options{SegmentSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	var operator strings.Builder
	zones := []config.Zone{{Name: "strict", OnFailure: config.OnFailureStop}, {Name: "relaxed", OnFailure: config.OnFailureContinue}}
	z := newZoneRecorder(log, zones, slog.New(slog.NewTextHandler(&operator, nil)))
	in := func(zone string) audit.Record { return audit.Record{Event: audit.Command, Zone: zone} }
	for _, zone := range []string{"strict", "relaxed"} {
		if err := z.Record(t.Context(), in(zone)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(dir, dir+".gone"); err != nil { // the next segment cannot be made
		t.Fatal(err)
	}
	_ = log.Note(audit.Record{Event: audit.GatewayStart})
	<-log.Failed()
	for range 3 {
		if err := errors.Join(z.Record(t.Context(), in("relaxed")), z.Note(in("relaxed"))); err != nil {
			t.Errorf("the zone that continues: %v", err)
		}
		for _, zone := range []string{"strict", "", "unknown"} {
			if z.Record(t.Context(), in(zone)) == nil || z.Note(in(zone)) == nil {
				t.Errorf("zone %q goes on without a log", zone)
			}
		}
	}
	if n := strings.Count(operator.String(), "ALARM"); n != 1 {
		t.Errorf("%d alarms for 6 records that were lost:\n%s", n, operator.String())
	}
	if log.Close() == nil {
		t.Error("the log closes as if nothing had happened")
	}
}
