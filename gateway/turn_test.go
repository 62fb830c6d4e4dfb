// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// slowing runs a test, in virtual time, in which what is stored below /slow crosses at 1000 bytes per second for each device, and all else
// as it comes.
func slowing(t *testing.T, workers int, test func(t *testing.T, s *spooling)) {
	dir, counts := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		q, _, err := quota.Open(counts, quota.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		})
		slow, rest := spooled("far"), spooled("far")
		slow.Name, slow.Paths, slow.Limits = "slow", paths("/slow/**"), &policy.Limits{Bandwidth: 1000}
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: workers}, rest, q)
		p, err := policy.New([]policy.Rule{slow, rest})
		if err != nil {
			t.Fatal(err)
		}
		s.SetPolicy(p)
		test(t, s)
	})
}

// keep has a device store a file of so many bytes.
func (s *spooling) keep(t *testing.T, device, name string, size int) {
	t.Helper()
	s.device.Device = device
	if err := s.upload(name, strings.NewReader(strings.Repeat("x", size))); err != nil {
		t.Fatal(err)
	}
}

// underWay is what the status says of the far side.
func (s *spooling) underWay(t *testing.T) int {
	t.Helper()
	status, err := s.Forwarder().Status()
	if err != nil {
		t.Fatal(err)
	}
	return status.Conduits[0].UnderWay
}

// All workers could be busy with files that have to wait for their bandwidth for a quarter of an hour. Whatever else there is does not
// wait for them, be it under the same rule or without a limit, and they all arrive.
func TestBacklogsUnderABandwidthHoldUpNobody(t *testing.T) {
	const workers = 4
	slowing(t, workers, func(t *testing.T, s *spooling) {
		for i := range workers {
			s.keep(t, fmt.Sprintf("slow-%d", i), fmt.Sprintf("/slow/%d/x", i), 1_000_000)
		}
		defer s.run(t)()
		time.Sleep(time.Minute)
		s.keep(t, "other", "/x", 1_000_000)
		s.keep(t, "another", "/slow/another", 5000)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := s.there("/x", "/slow/another"); len(got) != 2 {
			t.Errorf("of the others there is only %q", got)
		}
		if n := s.underWay(t); n != workers {
			t.Errorf("%d are under way, want %d", n, workers)
		}
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		for i := range workers {
			if name := fmt.Sprintf("/slow/%d/x", i); len(s.there(name)) != 1 {
				t.Errorf("%s is not there", name)
			}
		}
		if n := s.underWay(t); n != 0 {
			t.Errorf("%d are under way in the end", n)
		}
	})
}

// However many directories a device fills, and however many devices there are, what waits for bandwidth is bounded; the rest waits without
// holding up anybody.
func TestWhatWaitsForBandwidthIsBounded(t *testing.T) {
	for what, c := range map[string]struct{ devices, directories, most int }{
		"one device":   {1, 10, 2},
		"many devices": {gateway.MaxSlowed + 10, 1, gateway.MaxSlowed},
	} {
		t.Run(what, func(t *testing.T) {
			slowing(t, 2, func(t *testing.T, s *spooling) {
				for i := range c.devices {
					for j := range c.directories {
						s.keep(t, fmt.Sprintf("slow-%d", i), fmt.Sprintf("/slow/%d/%d/x", i, j), 100_000)
					}
				}
				defer s.run(t)()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n := s.underWay(t); n != c.most {
					t.Errorf("%d are under way, want %d", n, c.most)
				}
				s.keep(t, "other", "/x", 1_000_000)
				time.Sleep(time.Second)
				synctest.Wait()
				if len(s.there("/x")) != 1 {
					t.Error("another device's file is held up")
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if !s.empty() {
					t.Error("not all has arrived")
				}
			})
		})
	}
}

// The conduit comes back, and what tries it first has to wait for its bandwidth. Nobody waits for that.
func TestSlowProbeHoldsUpNobody(t *testing.T) {
	slowing(t, 1, func(t *testing.T, s *spooling) {
		s.down.Store(true)
		defer s.run(t)()
		s.keep(t, "slow", "/slow/x", 1_000_000)
		time.Sleep(time.Minute)
		if len(s.log.events(audit.SpoolSuspended)) != 1 {
			t.Fatal("nothing is suspended")
		}
		s.keep(t, "other", "/x", 1_000_000)
		synctest.Wait()
		if n := s.underWay(t); n != 0 {
			t.Errorf("%d are under way on a conduit that is down", n)
		}
		s.down.Store(false)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if len(s.there("/x")) != 1 || s.underWay(t) != 1 {
			t.Errorf("there is %q, %d are under way", s.there("/x"), s.underWay(t))
		}
	})
}

// Files that wait until the conduit works again are not under way, however many workers there are for them; what is being published is.
func TestUnderWayIsWhatIsBeingDelivered(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 4}, spooled("far"))
		s.down.Store(true)
		for i := range 8 {
			s.put(t, fmt.Sprintf("/%d/x", i))
		}
		defer s.run(t)()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.underWay(t); n != 0 {
			t.Errorf("the conduit is down, and %d are under way", n)
		}
		write, publish := make(chan struct{}), make(chan struct{})
		s.failWith(func(step memremote.Step, _ string) error {
			switch step {
			case memremote.Write:
				<-write
			case memremote.Commit:
				<-publish
			}
			return nil
		})
		s.down.Store(false)
		s.Forwarder().Up("far")
		synctest.Wait()
		if n := s.underWay(t); n != 1 {
			t.Errorf("one tries the conduit, and %d are under way", n)
		}
		write <- struct{}{}
		synctest.Wait()
		if n := s.underWay(t); n != 4 {
			t.Errorf("the conduit works, and %d are under way", n)
		}
		close(write)
		synctest.Wait()
		if n := s.underWay(t); n != 4 {
			t.Errorf("%d are under way while all of them are being published", n)
		}
		close(publish)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := s.underWay(t); n != 0 || !s.empty() {
			t.Errorf("all is delivered, and %d are under way", n)
		}
	})
}
