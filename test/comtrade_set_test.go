// SPDX-License-Identifier: Apache-2.0

package test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// The files of a COMTRADE record are published when .cfg and .dat are there, the .cfg last; a record that stays incomplete is
// published when its time has passed, which is on record.
func TestComtradeSet(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{spool: plainSpool, rules: spoolAll("set = \"comtrade\"\nset_timeout = \"10s\"")})
	f := g.login(0)
	f.put("/fault-1.cfg", []byte("configuration"))
	f.put("/fault-1.hdr", []byte("header"))
	f.put("/readme.txt", []byte("belongs to nothing"))
	eventually(t, "what belongs to no set is across", func() bool { return slices.Contains(filesBelow(t, g.home(0)), "readme.txt") })
	f.put("/fault-1.DAT", []byte("data"))
	f.put("/fault-2.dat", []byte("data without configuration"))
	eventually(t, "everything is across", func() bool {
		return len(filesBelow(t, g.home(0))) == 5 && len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0
	})
	var order []string
	released := 0
	for _, r := range g.records() {
		switch r.Event {
		case audit.SpoolDelivered:
			order = append(order, r.Path)
		case audit.SpoolReleased:
			released++
		}
	}
	if want := []string{"/readme.txt", "/fault-1.hdr", "/fault-1.DAT", "/fault-1.cfg", "/fault-2.dat"}; !slices.Equal(order, want) {
		t.Errorf("delivered in the order %q, want %q", order, want)
	}
	if released != 1 {
		t.Errorf("%d files were released without the rest of their set on record, want 1", released)
	}
}
