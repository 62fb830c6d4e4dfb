// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// setOf names the set that a file belongs to, or "" for none. The files of one COMTRADE record have one name, whatever the case of
// its letters, and the extensions of IEC 60255-24, clause 4; the combined form (.cff) is whole by itself.
func setOf(kind policy.SetKind, l Location) string {
	if kind != policy.ComtradeSet || !slices.Contains([]string{".cfg", ".dat", ".hdr", ".inf"}, extension(l.Path)) {
		return ""
	}
	name := l.String()
	return strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// fileSet is what has come of a set.
type fileSet struct {
	members []spool.Entry
	timer   *time.Timer // ends the waiting
}

// key of a set: two devices do not complete each other's.
func setKey(e spool.Entry) string { return strings.Join([]string{e.Conduit, e.Device, e.Set}, "\x00") }

// isWhole reports whether all that must be there is: a configuration and its data.
func (s *fileSet) isWhole() bool {
	has := func(ext string) bool {
		return slices.ContainsFunc(s.members, func(e spool.Entry) bool { return extension(e.Path) == ext })
	}
	return has(".cfg") && has(".dat")
}

// order puts the configuration last: whoever looks for it on the far side finds everything that it describes.
func (s *fileSet) order() {
	slices.SortStableFunc(s.members, func(a, b spool.Entry) int {
		if c := boolOrder(extension(a.Path) == ".cfg") - boolOrder(extension(b.Path) == ".cfg"); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}
