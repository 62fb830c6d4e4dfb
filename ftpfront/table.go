// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"slices"
)

// table is a map of bounded size, so that strangers cannot make it grow. Where it is full the entries whose loss matters least make
// room. It is guarded by whoever owns it.
type table[K comparable, V any] struct {
	most    int
	entries map[K]*V
	// worth says how much the loss of an entry would matter: those with the least go. One that must stay is worth keeping: such
	// entries are bounded by something else, and the table grows for them.
	worth func(*V) int64
}

// keep is the worth of an entry that must stay.
const keep = int64(1<<63 - 1)

func newTable[K comparable, V any](most int, worth func(*V) int64) *table[K, V] {
	return &table[K, V]{most: most, entries: make(map[K]*V), worth: worth}
}

// entry finds or makes an entry.
func (t *table[K, V]) entry(key K) *V {
	if v, ok := t.entries[key]; ok {
		return v
	}
	if len(t.entries) >= t.most {
		t.evict()
	}
	v := new(V)
	t.entries[key] = v
	return v
}

// evict makes room for a while, so that whoever fills the table does not have it searched for each entry.
func (t *table[K, V]) evict() {
	type candidate struct {
		key   K
		worth int64
	}
	candidates := make([]candidate, 0, len(t.entries))
	for key, v := range t.entries {
		if w := t.worth(v); w != keep {
			candidates = append(candidates, candidate{key, w})
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.worth, b.worth) })
	for _, c := range candidates[:min(len(candidates), max(1, t.most/8))] {
		delete(t.entries, c.key)
	}
}
