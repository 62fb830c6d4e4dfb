// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of the Merkle tree over the records (RFC 6962, section 2.1): the roots of the complete subtrees that
// together hold all records. It is all that is needed to go on and to compute the root, whatever was before.
type tree struct {
	size  int64       // records
	roots []tlog.Hash // one for each bit that is set in size, of the largest subtree first
}

// observer hears of each subtree that becomes complete: the n-th, from 0, of those that hold 1<<level records.
type observer func(level int, n int64, h tlog.Hash)

// add appends a record by its hash.
func (t *tree) add(h tlog.Hash, see observer) {
	level, n := 0, t.size
	for {
		if see != nil {
			see(level, n, h)
		}
		if n&1 == 0 {
			break
		}
		last := len(t.roots) - 1
		h = tlog.NodeHash(t.roots[last], h)
		t.roots = t.roots[:last]
		level, n = level+1, n>>1
	}
	t.roots = append(t.roots, h)
	t.size++
}

// tell tells see of the subtrees that t begins with.
func (t *tree) tell(see observer) {
	end := int64(0)
	left := t.size
	for _, h := range t.roots {
		level := bits.Len64(uint64(left)) - 1
		see(level, end>>level, h)
		end += 1 << level
		left &^= 1 << level
	}
}

// root is the hash of the whole tree; of none when it is empty.
func (t *tree) root() tlog.Hash {
	if len(t.roots) == 0 {
		return tlog.Hash{}
	}
	last := len(t.roots) - 1
	h := t.roots[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(t.roots[i], h)
	}
	return h
}

// String is what the first record of a segment says of all before it.
func (t *tree) String() string {
	list := make([]string, len(t.roots))
	for i, h := range t.roots {
		list[i] = h.String()
	}
	return strings.Join(list, " ")
}

// parseTree reads what String has written.
func parseTree(size int64, text string) (tree, error) {
	t := tree{size: size}
	for word := range strings.FieldsSeq(text) {
		h, err := tlog.ParseHash(word)
		if err != nil {
			return tree{}, fmt.Errorf("the hash %q of a tree is not base64 of 32 bytes", word)
		}
		t.roots = append(t.roots, h)
	}
	if size < 0 || len(t.roots) != bits.OnesCount64(uint64(size)) {
		return tree{}, fmt.Errorf("a tree of %d records has not %d subtrees", size, len(t.roots))
	}
	return t, nil
}
