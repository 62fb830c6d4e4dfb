// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// However many paths devices use, few are remembered, and none for long.
func TestLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLately()
		for n := range 3 * manyPaths {
			l.add(fmt.Sprint(n))
		}
		last := fmt.Sprint(3*manyPaths - 1)
		if n := len(l.seen); n > manyPaths || !l.has(last) {
			t.Errorf("%d paths, the last one: %v", n, l.has(last))
		}
		time.Sleep(lateness)
		if l.has(last) {
			t.Error("a path is remembered for too long")
		}
	})
}
