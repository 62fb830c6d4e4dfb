// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"testing"
)

// However the bytes come, and whatever becomes of the buffers they came in, the digest is that of all of them.
func TestHashing(t *testing.T) {
	var chunks sync.Pool
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		h, want := newHashing(&chunks), sha256.New()
		if i%4 == 0 {
			h = newHashing(nil)
		}
		buffer := make([]byte, 300<<10)
		for range random.IntN(12) {
			p := buffer[:random.IntN(1+[]int{100, 4 << 10, len(buffer)}[random.IntN(3)])]
			for i := range p {
				p[i] = byte(random.Uint32())
			}
			want.Write(p)
			if random.IntN(3) == 0 {
				h.Beside(p, func() {})
			} else {
				h.Write(p)
			}
			clear(p) // it is the caller's again
			if random.IntN(4) == 0 {
				h.Sum()
			}
		}
		if got := h.Sum(); !bytes.Equal(got, want.Sum(nil)) {
			t.Fatalf("the digest is %x, want %x", got, want.Sum(nil))
		}
	}
}
