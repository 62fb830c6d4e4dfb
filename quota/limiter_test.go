// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// In virtual time: what passes is what the bandwidth allows, transfers share it in equal parts, and the narrowest one that binds counts.
func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), time.Now)
		device := policy.Bound{Limits: policy.Limits{Bandwidth: 100_000}, Device: "d"}
		rule := policy.Bound{Limits: policy.Limits{Bandwidth: 40_000, Shared: true}, Rule: "r"}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		moved := make([]int64, 3)
		done := make(chan struct{})
		for i := range moved {
			g, err := s.Begin([]policy.Bound{device, rule}, 0, Unknown)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer func() { g.Close(); done <- struct{}{} }()
				for g.Pace().Wait(ctx, g.Pace().Piece()) == nil {
					moved[i] += int64(g.Pace().Piece())
				}
			}()
		}
		for range moved {
			<-done
		}
		sum := moved[0] + moved[1] + moved[2]
		if most, least := int64(60*40_000+40_000/4), int64(59*40_000); sum > most || sum < least {
			t.Errorf("%d bytes passed in a minute, want %d to %d", sum, least, most)
		}
		for _, n := range moved {
			if n < sum/3-20_000 || n > sum/3+20_000 {
				t.Errorf("the shares are %v", moved)
			}
		}
	})
}

func TestWaitIsInterruptible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), time.Now)
		l := s.Limiter(policy.Bound{Limits: policy.Limits{Bandwidth: 1000}, Device: "d"})
		ctx, cancel := context.WithCancel(context.Background())
		begun := time.Now()
		time.AfterFunc(3*time.Second, cancel)
		if err := l.Wait(ctx, 1_000_000); !errors.Is(err, context.Canceled) || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A policy with another bandwidth holds for what begins under it; what runs keeps its own, and is not broken off by that.
func TestBandwidthIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), time.Now)
		b := policy.Bound{Limits: policy.Limits{Bandwidth: 1 << 30}, Device: "d"}
		old := s.Limiter(b)
		b.Bandwidth = 1000
		if l := s.Limiter(b); l.Piece() != leastPiece || l.buckets[0] != s.Limiter(b).buckets[0] {
			t.Errorf("the new one has pieces of %d", l.Piece())
		}
		if err := old.Wait(context.Background(), 1<<20); err != nil {
			t.Error(err)
		}
		if n := s.Limiter(bound(policy.Limits{MaxFile: 1})).Piece(); n != math.MaxInt {
			t.Errorf("without a bandwidth the pieces are %d", n)
		}
	})
}

// Whoever asks is told whether it would have to wait, by the narrowest bandwidth that binds it, and uses nothing up.
func TestPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), time.Now)
		wide := policy.Bound{Limits: policy.Limits{Bandwidth: 100_000}, Device: "d"}
		narrow := policy.Bound{Limits: policy.Limits{Bandwidth: 8000}, Rule: "r"}
		l := s.Limiter(wide, narrow)
		for range 10 {
			if !l.Passes(l.Piece()) {
				t.Fatal("nothing has moved yet")
			}
		}
		for range 2 { // what may pass at once
			if err := l.Wait(t.Context(), l.Piece()); err != nil {
				t.Fatal(err)
			}
		}
		if l.Passes(l.Piece()) {
			t.Error("all is used up")
		}
		time.Sleep(time.Second)
		if !l.Passes(l.Piece()) {
			t.Error("a second has gone by")
		}
		if !(*Limiter)(nil).Passes(math.MaxInt) {
			t.Error("nothing is slowed")
		}
	})
}
