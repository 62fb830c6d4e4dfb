// SPDX-License-Identifier: Apache-2.0

package quota

import "time"

// window says over how long something is counted, and how finely. It rolls: see the package documentation.
type window struct {
	slot  int64 // seconds
	slots int64 // the window is so many slots long
}

func hourly() window { return window{slot: 60, slots: 60} }
func daily() window  { return window{slot: 15 * 60, slots: 96} }

// oldest is the first slot that still counts at a time.
func (w window) oldest(at int64) int64 { return at/w.slot - w.slots }

// series is what was counted in a window, one entry for each slot in which there was something, ascending. The zero series is empty.
type series []count

type count struct {
	Slot int64 `json:"s"` // seconds of the store's clock, divided by those of a slot
	N    int64 `json:"n"`
}

// sum is what counts at a time.
func (s series) sum(w window, at int64) int64 {
	var n int64
	for _, c := range s {
		if c.Slot >= w.oldest(at) {
			n += c.N
		}
	}
	return n
}

// trim drops slots that do not count any more, so that a series has at most slots+1 entries.
func (s series) trim(w window, at int64) series {
	for len(s) > 0 && s[0].Slot < w.oldest(at) {
		s = s[1:]
	}
	return s
}

// add counts n more in the slot of a time, which is not before those that were counted already.
func (s series) add(w window, at, n int64) series {
	s = s.trim(w, at)
	slot := at / w.slot
	if last := len(s) - 1; last >= 0 && s[last].Slot >= slot {
		s[last].N += n
		return s
	}
	return append(s, count{slot, n})
}

// back takes n from what was counted at a time, if that still counts. Nothing ever becomes less than none.
func (s series) back(w window, at, n int64) {
	for i := range s {
		if s[i].Slot == at/w.slot {
			s[i].N = max(0, s[i].N-n)
		}
	}
}

// free is how long it takes from a time until something of it does not count any more; 0 where nothing counts.
func (s series) free(w window, at int64) time.Duration {
	for _, c := range s {
		if c.Slot >= w.oldest(at) && c.N > 0 {
			return time.Duration((c.Slot+w.slots+1)*w.slot-at) * time.Second
		}
	}
	return 0
}
