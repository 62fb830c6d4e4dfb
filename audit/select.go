// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"path"
	"strings"
	"time"
)

// Filter selects records. An empty field selects all; a record must meet every field that is not.
type Filter struct {
	Device, Session, Zone string
	// Event is the name of an event, or the beginning of some: "transfer.", "transfer.*" and "transfer*" are all events of transfers.
	Event string
	// Path is a path as the device sees it, or a pattern of package path; To and the remote path of a receipt count, too.
	Path string
	// Digest is a SHA-256 in hex, or its first characters.
	Digest   string
	From, To time.Time // From is included, To is not
}

// Match reports whether the filter selects r.
func (f Filter) Match(r Record) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	switch {
	case !same(f.Device, r.Device), !same(f.Session, r.Session), !same(f.Zone, r.Zone):
		return false
	case f.Event != "" && !f.matchEvent(r.Event):
		return false
	case !f.From.IsZero() && r.Time.Before(f.From), !f.To.IsZero() && !r.Time.Before(f.To):
		return false
	case f.Path != "" && !f.matchPath(r):
		return false
	case f.Digest != "" && (r.TransferFields == nil || r.SHA256 == "" || !strings.HasPrefix(r.SHA256, strings.ToLower(f.Digest))):
		return false
	}
	return true
}

func (f Filter) matchEvent(e Event) bool {
	begin, several := strings.CutSuffix(f.Event, "*")
	if several || strings.HasSuffix(begin, ".") {
		return strings.HasPrefix(string(e), begin)
	}
	return string(e) == f.Event
}

func (f Filter) matchPath(r Record) bool {
	if r.TransferFields == nil {
		return false
	}
	names := []string{r.Path, r.To}
	if r.Receipt != nil {
		names = append(names, r.Receipt.Path)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if ok, err := path.Match(f.Path, name); name == f.Path || ok && err == nil {
			return true
		}
	}
	return false
}
