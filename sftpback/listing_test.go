// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// A directory with more entries than may be listed is an error, and is not read to its end; one with as many is listed.
func TestListingIsBounded(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{}, func(cfg *Config) { cfg.ListingEntries = 300 })
	f.home(t)
	for i := range 300 {
		f.put(t, fmt.Sprintf("/%d", i), nil)
	}
	if infos, err := f.ReadDir(t.Context(), at("/")); err != nil || len(infos) != 300 {
		t.Errorf("%d entries, %v", len(infos), err)
	}
	for i := range 5000 {
		f.put(t, fmt.Sprintf("/more-%d", i), nil)
	}
	s.Trace()
	if infos, err := f.ReadDir(t.Context(), at("/")); !errors.Is(err, gateway.ErrTooMany) || gateway.IsTemporary(err) || infos != nil {
		t.Errorf("%d entries, %v", len(infos), err)
	}
	pages := 0
	for _, r := range s.Trace() {
		if r.Op == sftpfault.Readdir {
			pages++
		}
	}
	if most := 4 + pagesAhead; pages > most { // the library's server sends a hundred at a time
		t.Errorf("%d pages were read", pages)
	}
}
