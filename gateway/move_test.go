// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// A directory whose renaming the spool can note of some files only: whatever their names are then, all are delivered.
func TestRenameInPart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
		order := s.published()
		s.down.Store(true)
		defer s.run(t)()
		s.put(t, "/d/a", "/d/b")
		unblock := block(t, dir, s.store.Lookup("far", "/relay/d/b")[0].ID)
		if err := s.Rename(t.Context(), s.device, "/d", "/e"); err == nil {
			t.Fatal("renamed, although the spool could not note it")
		}
		unblock()
		s.down.Store(false)
		time.Sleep(10 * time.Minute)
		got := order()
		slices.Sort(got)
		if !slices.Equal(got, []string{"/d/b", "/e/a"}) {
			t.Errorf("published %q", got)
		}
	})
}
