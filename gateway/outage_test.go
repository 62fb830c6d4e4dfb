// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// The conduit is down for a week. Devices go on storing, it is probed now and then and not stormed, and when it is back everything
// arrives in order, though nobody tells that it is back.
func TestWeekLongOutage(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 4}, spooled("far"))
		var probes atomic.Int64
		var down atomic.Bool
		var order []string
		s.failWith(func(step memremote.Step, name string) error {
			if step == memremote.Commit {
				order = append(order, name)
			}
			return nil
		})
		down.Store(true)
		s.far.Fail = func(step memremote.Step, name string) error {
			if step != memremote.Available {
				probes.Add(1)
			}
			if down.Load() {
				return away{}
			}
			return s.failing(step, name)
		}
		stop := s.run(t)
		defer stop()
		var want []string
		const hours = 7 * 24
		for hour := range hours {
			name := fmt.Sprintf("/log-%03d", hour)
			if err := s.upload(name, strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
			want = append(want, "/relay"+name)
			time.Sleep(time.Hour)
		}
		if most := int64(hours*60*2 + 100); probes.Load() > most {
			t.Errorf("%d requests to a conduit that is down, want at most %d: two a minute", probes.Load(), most)
		}
		down.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.Equal(order, want) {
			t.Errorf("%d files arrived, of %d, or not in order", len(order), len(want))
		}
		if n := len(s.log.events(audit.SpoolRetry)); n != 0 {
			t.Errorf("the outage counts as %d failures of files", n)
		}
		if a, b := len(s.log.events(audit.SpoolSuspended)), len(s.log.events(audit.SpoolResumed)); a != 1 || b != 1 {
			t.Errorf("suspended %d times, resumed %d times on record", a, b)
		}
	})
}

// The first file behind an outage is a large one, on a slow line. As soon as the far side takes it the others go, too; they do not wait
// until it is across.
func TestLargeFileBehindAnOutageHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 2}, spooled("far"))
		s.down.Store(true)
		across := make(chan struct{})
		pieces := 0
		s.failWith(func(step memremote.Step, name string) error {
			if step == memremote.Write && name == "/relay/large/x" {
				if pieces++; pieces == 2 {
					<-across
				}
			}
			return nil
		})
		stop := s.run(t)
		defer stop()
		if err := s.upload("/large/x", strings.NewReader(strings.Repeat("x", 1<<20))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // it is suspended
		s.down.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait() // the large one is the probe
		if err := s.upload("/small/x", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.there("/large/x", "/small/x"); !slices.Equal(got, []string{"/small/x"}) || pieces != 2 {
			t.Errorf("while the large file is under way there is %q; %d pieces", got, pieces)
		}
		if a, b := len(s.log.events(audit.SpoolSuspended)), len(s.log.events(audit.SpoolResumed)); a != 1 || b != 1 {
			t.Errorf("suspended %d times, resumed %d times on record", a, b)
		}
		close(across)
		time.Sleep(time.Second)
		synctest.Wait()
		if !s.empty() {
			t.Error("the large file is not delivered")
		}
	})
}

// What a rule lets through at night alone is delivered at night alone.
func TestWindowOfTheRuleHoldsForDeliveries(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		r := spooled("far")
		r.Window = &policy.Window{Between: []policy.Span{{From: 22 * 60, To: 4 * 60}}, Location: time.UTC}
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, r)
		s.down.Store(true)
		stop := s.run(t)
		defer stop()
		if err := s.upload("/x", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		s.down.Store(false)
		time.Sleep(16 * time.Hour)
		synctest.Wait()
		if _, ok := s.far.Get("/relay/x"); ok {
			t.Error("delivered by day")
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if _, ok := s.far.Get("/relay/x"); !ok {
			t.Error("not delivered at night")
		}
	})
}

// What was delivered is kept as evidence for as long as it is wanted, and removed with a record.
func TestKeptAfterDelivery(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1, Keep: 48 * time.Hour}, spooled("far"))
		stop := s.run(t)
		defer stop()
		if err := s.upload("/x", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		kept := func() int {
			time.Sleep(time.Second)
			synctest.Wait()
			u, err := s.store.Usage()
			if err != nil {
				t.Fatal(err)
			}
			return u.Delivered.Entries
		}
		if kept() != 1 {
			t.Error("it is not kept")
		}
		if _, err := s.Forwarder().Retry(context.Background(), "0000000000000001", "uid 0"); err == nil {
			t.Error("what was delivered can be delivered again")
		}
		time.Sleep(47 * time.Hour)
		if kept() != 1 {
			t.Error("it is not kept long enough")
		}
		time.Sleep(2 * time.Hour)
		if kept() != 0 || len(s.log.events(audit.SpoolPurged)) != 1 {
			t.Error("it is kept too long, or its removal is not on record")
		}
	})
}

// The bandwidth of the rule holds for deliveries, too.
func TestBandwidthHoldsForDeliveries(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := spooled("far")
		r.Limits = &policy.Limits{Bandwidth: 1000}
		counts, _, err := quota.Open(t.TempDir(), quota.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := counts.Close(); err != nil {
				t.Error(err)
			}
		}()
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, r, counts)
		if err := s.upload("/x", strings.NewReader(strings.Repeat("x", 10_000))); err != nil {
			t.Fatal(err)
		}
		stop := s.run(t)
		defer stop()
		begun := time.Now()
		for !s.empty() {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begun); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("10,000 bytes at 1,000 bytes/s took %s", took)
		}
	})
}
