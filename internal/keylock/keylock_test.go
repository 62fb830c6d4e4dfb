// SPDX-License-Identifier: Apache-2.0

package keylock_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ftpgw/ftpgw/internal/keylock"
)

// A lock that is wider has more holders, and no more than that.
func TestWidth(t *testing.T) {
	k := keylock.Locks{Width: 2}
	for range 2 {
		unlock, err := k.Lock(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a third holder: %v", err)
	}
}

func TestLocks(t *testing.T) {
	var k keylock.Locks
	unlock, err := k.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.Lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a held lock: %v", err)
	}
	if n := k.Users("a"); n != 1 {
		t.Errorf("%d hold or wait", n)
	}
	unlock()
	if k.Len() != 0 {
		t.Errorf("%d locks are kept", k.Len())
	}
}
