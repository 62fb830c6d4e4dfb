// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// readBack is a rule under which each file is read back.
func readBack(l *policy.Limits) policy.Rule {
	r := rule("all", l)
	r.Deliver.Verify = policy.VerifyReadback
	return r
}

// within reports an error where something has not taken as long as so many bytes at so many in a second, but for what passes at once and
// the few waits that are longer than they should be.
func within(t *testing.T, what string, took time.Duration, bytes, bandwidth int64) {
	t.Helper()
	least := time.Duration(bytes-max(bandwidth/4, 512)) * time.Second / time.Duration(bandwidth)
	if took < least || took > least+2*time.Second {
		t.Errorf("%s took %v, want %v", what, took, least)
	}
}

// What is read back of a file that goes straight across crosses at the rule's bandwidth, as the file did. A device's own bandwidth is that
// of the zone, and has nothing to do with it.
func TestReadBackTakesItsBandwidth(t *testing.T) {
	const size = 100_000
	for what, c := range map[string]struct {
		device, rule *policy.Limits
		bytes        int64 // that are waited for
	}{
		"the rule's":   {nil, &policy.Limits{Bandwidth: 10_000}, 2 * size},
		"the device's": {&policy.Limits{Bandwidth: 10_000}, nil, size},
		"both":         {&policy.Limits{Bandwidth: 10_000}, &policy.Limits{Bandwidth: 10_000}, 2 * size},
	} {
		t.Run(what, func(t *testing.T) {
			counts := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := limitedWorld(t, counts, c.device, readBack(c.rule))
				begun := time.Now()
				if err := w.upload("/a", strings.NewReader(strings.Repeat("x", size))); err != nil {
					t.Fatal(err)
				}
				within(t, "the upload", time.Since(begun), c.bytes, 10_000)
				if r := w.log.last(t); r.Receipt == nil || r.Receipt.Verified != string(gateway.VerifyReadback) {
					t.Errorf("on record: %+v", r)
				}
			})
		})
	}
}

// receive has everything of a file arrive that is to be read back.
func (w *world) receive(t *testing.T, ctx context.Context, name string, size int) *gateway.Incoming {
	t.Helper()
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: name, Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader(strings.Repeat("x", size))); err != nil {
		t.Fatal(err)
	}
	return in
}

// What waits for its bandwidth to be read back is broken off like everything else: when the transfer is, and when nothing is to cross.
func TestReadBackIsInterruptible(t *testing.T) {
	gone := errors.New("gone")
	for what, c := range map[string]struct {
		interrupt func(w *world, cancel context.CancelCauseFunc)
		want      error
	}{
		"the transfer": {func(_ *world, cancel context.CancelCauseFunc) { cancel(gone) }, gone},
		"an island":    {func(w *world, _ context.CancelCauseFunc) { w.Isolate() }, gateway.ErrIsland},
	} {
		t.Run(what, func(t *testing.T) {
			counts := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := limitedWorld(t, counts, nil, readBack(&policy.Limits{Bandwidth: 1000}))
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				in := w.receive(t, ctx, "/a", 100_000)
				begun := time.Now()
				time.AfterFunc(10*time.Second, func() { c.interrupt(w, cancel) })
				err := in.Commit(ctx, gateway.Ending{})
				if took := time.Since(begun); !errors.Is(err, c.want) || took > 11*time.Second {
					t.Errorf("interrupted after %v: %v", took, err)
				}
				if err := w.AwaitCalm(t.Context()); err != nil {
					t.Error(err)
				}
				if _, there := w.far.Get("/relay/a"); there || w.far.Uploads() != 0 {
					t.Error("it is published, or still open")
				}
			})
		})
	}
}

// What is kept of a file whose device has gone is read back as slowly, but no shutdown waits for that for long.
func TestKeptAsideWaitsForItsBandwidthForAWhile(t *testing.T) {
	lost := &gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "lost"}
	stopped := errors.New("stopped")
	for what, c := range map[string]struct {
		size  int
		cause error
		most  time.Duration // from the interruption on
		kept  bool
	}{
		"a short one":    {20_000, lost, 15 * time.Second, true},
		"a long one":     {100_000, lost, 21 * time.Second, false},
		"not for a stop": {100_000, stopped, 0, false},
	} {
		t.Run(what, func(t *testing.T) {
			counts := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				r := readBack(&policy.Limits{Bandwidth: 1000})
				r.Deliver.Incomplete = policy.KeepIncomplete
				w := limitedWorld(t, counts, nil, r)
				ctx, cancel := context.WithCancelCause(t.Context())
				in := w.receive(t, ctx, "/a", c.size)
				begun := time.Now()
				const after = 10 * time.Second
				time.AfterFunc(after, func() { cancel(c.cause) })
				err := in.Commit(ctx, gateway.Ending{})
				if took := time.Since(begun); !errors.Is(err, c.cause) || took > after+c.most {
					t.Errorf("after %v: %v", took, err)
				}
				if rec := w.log.last(t); rec.Event != audit.TransferAborted || (rec.Receipt != nil) != c.kept {
					t.Errorf("on record: %+v", rec)
				}
				if w.far.Uploads() != 0 {
					t.Error("it is still open")
				}
			})
		})
	}
}

// The same for what broke off before its end.
func TestBrokenOffIsKeptAtItsBandwidth(t *testing.T) {
	lost := &gateway.EvidenceError{Failed: gateway.Fin, Reason: "lost"}
	for what, c := range map[string]struct {
		size int
		kept bool
	}{"a short one": {10_000, true}, "a long one": {100_000, false}} {
		t.Run(what, func(t *testing.T) {
			counts := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				r := readBack(&policy.Limits{Bandwidth: 1000})
				r.Deliver.Incomplete = policy.KeepIncomplete
				w := limitedWorld(t, counts, nil, r)
				in, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
				if err != nil {
					t.Fatal(err)
				}
				_, err = in.Take(t.Context(), io.MultiReader(strings.NewReader(strings.Repeat("x", c.size)), iotest.ErrReader(lost)))
				if !errors.Is(err, lost) {
					t.Fatal(err)
				}
				begun := time.Now()
				in.Abort(err)
				took := time.Since(begun)
				if rec := w.log.last(t); (rec.Receipt != nil) != c.kept {
					t.Errorf("on record: %+v", rec)
				}
				if c.kept {
					within(t, "what is kept", took, int64(c.size)+512, 1000) // nothing passes at once any more
				} else if took > 21*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// What is delivered from the spool is read back at the bandwidth of its rule, without a worker's place.
func TestReadBackOfDeliveries(t *testing.T) {
	slowing(t, 1, func(t *testing.T, s *spooling) {
		slow, rest := spooled("far"), spooled("far")
		slow.Name, slow.Paths, slow.Limits, slow.Deliver.Verify = "slow", paths("/slow/**"), &policy.Limits{Bandwidth: 1000}, policy.VerifyReadback
		p, err := policy.New([]policy.Rule{slow, rest})
		if err != nil {
			t.Fatal(err)
		}
		s.SetPolicy(p)
		s.keep(t, "slow", "/slow/x", 512) // passes at once, so that the reading back is the first to wait
		s.keep(t, "other", "/x", 1_000_000)
		var read time.Time
		s.failWith(func(step memremote.Step, name string) error {
			if step == memremote.Commit && name == "/relay/slow/x" {
				read = time.Now()
			}
			return nil
		})
		begun := time.Now()
		defer s.run(t)()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if len(s.there("/x")) != 1 || len(s.there("/slow/x")) != 0 || read != begun {
			t.Errorf("there is %q; it is read back since %v", s.there("/x", "/slow/x"), read.Sub(begun))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(s.there("/slow/x")) != 1 {
			t.Error("it is not delivered")
		}
		s.keep(t, "slow", "/slow/y", 100_000)
		begun = time.Now()
		for !s.empty() {
			time.Sleep(100 * time.Millisecond)
		}
		within(t, "the delivery", time.Since(begun), 200_000, 1000)
	})
}

// The rename of a delivery has happened, and its answer was lost. What stands across is read at the bandwidth of the rule, without a
// worker's place, and the end of the run does not wait for it.
func TestComparedAtItsBandwidth(t *testing.T) {
	slowing(t, 1, func(t *testing.T, s *spooling) {
		const size = 100_000
		var once sync.Once
		s.failWith(func(step memremote.Step, name string) (err error) {
			if step == memremote.Publish && name == "/relay/slow/x" {
				once.Do(func() {
					s.far.Put(name, []byte(strings.Repeat("x", size)))
					err = away{}
				})
			}
			return err
		})
		s.keep(t, "slow", "/slow/x", size)
		stop := s.run(t)
		time.Sleep(110 * time.Second) // it is across, and is compared
		synctest.Wait()
		if s.empty() || s.underWay(t) != 1 {
			t.Fatalf("%d are under way", s.underWay(t))
		}
		s.keep(t, "other", "/x", 1_000_000)
		synctest.Wait()
		if len(s.there("/x")) != 1 {
			t.Error("another file is held up")
		}
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("the end of the run waits for %v", took)
		}
		defer s.run(t)()
		for !s.empty() {
			time.Sleep(100 * time.Millisecond)
		}
		within(t, "the comparison", time.Since(begun), size, 1000)
		if d := s.log.events(audit.SpoolDelivered); len(d) != 2 || d[1].Receipt.Verified != string(gateway.VerifyReadback) {
			t.Errorf("on record: %+v", d)
		}
	})
}
