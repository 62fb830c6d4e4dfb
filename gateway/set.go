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

// fileSet is what has come of a set. It is guarded by Forwarder.mu.
type fileSet struct {
	ids   []string    // of its files; what has been removed, renamed or held meanwhile does not count any more
	timer *time.Timer // ends the waiting; nil before the first look
	// whole says that all that must be there was, and was let go: what need not be there may still come, and follows it.
	whole bool
}

// key of a set: two devices do not complete each other's.
func setKey(e spool.Entry) string { return strings.Join([]string{e.Conduit, e.Device, e.Set}, "\x00") }

// waitsForSet reports whether an entry is not to be delivered before the rest of its set is there.
func waitsForSet(e spool.Entry) bool {
	if e.Set == "" {
		return false
	}
	p, err := planOf(e)
	return err == nil && !p.Released
}

// wasLetGo reports whether an entry was let go together with its set.
func wasLetGo(e spool.Entry) bool {
	p, err := planOf(e)
	return err == nil && p.Behind != ""
}

// mustBeThere reports whether a set is not whole without this file: its configuration, or its data.
func mustBeThere(e spool.Entry) bool {
	return extension(e.Path) == ".cfg" || extension(e.Path) == ".dat"
}

// isWhole reports whether all that must be there is.
func isWhole(members []spool.Entry) bool {
	has := func(ext string) bool {
		return slices.ContainsFunc(members, func(e spool.Entry) bool { return extension(e.Path) == ext })
	}
	return has(".cfg") && has(".dat")
}

// sortSet puts the configuration last: whoever looks for it on the far side finds everything that it describes.
func sortSet(members []spool.Entry) {
	slices.SortFunc(members, func(a, b spool.Entry) int {
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
