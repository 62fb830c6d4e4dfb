// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// Whoever reads the operator log is told at once, and then once a minute of how many records were lost, for as long as there are more. When
// that is over nothing more is said, and the next failure is told at once again.
func TestLostRecordsAreCountedByTheMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var operator bytes.Buffer
		zones := []config.Zone{{Name: "busy", OnFailure: config.OnFailureContinue}, {Name: "quiet", OnFailure: config.OnFailureContinue}}
		z := newZoneRecorder(nil, zones, slog.New(slog.NewTextHandler(&operator, nil)))
		lose := func(zone string, n int) {
			t.Helper()
			for range n {
				if err := z.accept(audit.Record{Event: audit.Command, Zone: zone}, audit.ErrFailed); err != nil {
					t.Error(err)
				}
			}
		}
		want := func(what string, alarms ...string) {
			t.Helper()
			synctest.Wait()
			z.mu.Lock() // under which alarms are raised
			said := operator.String()
			operator.Reset()
			z.mu.Unlock()
			for _, a := range alarms {
				if !strings.Contains(said, a) {
					t.Errorf("%s: no %q in\n%s", what, a, said)
				}
			}
			if n := strings.Count(said, "ALARM"); n != len(alarms) {
				t.Errorf("%s: %d alarms, want %d:\n%s", what, n, len(alarms), said)
			}
		}
		end := z.count()
		lose("busy", 5001)
		lose("quiet", 1)
		want("at first", "zone=busy event=command records_lost=1 since=2000-01-01T00:00:00Z", "zone=quiet event=command records_lost=1 ")
		time.Sleep(59 * time.Second)
		want("before the minute is over")
		time.Sleep(2 * time.Second)
		want("after a minute", "zone=busy event=command records_lost=5000 since=2000-01-01T00:00:00Z")
		lose("busy", 3)
		time.Sleep(time.Minute)
		want("after two minutes", "zone=busy event=command records_lost=3 since=2000-01-01T00:01:00Z")
		time.Sleep(time.Hour)
		want("when it is over")
		lose("busy", 1)
		want("the next time", "zone=busy event=command records_lost=1 since=2000-01-01T01:02:01Z")
		lose("busy", 2)
		end()
		want("in the end", "zone=busy event=command records_lost=2 ")
	})
}
