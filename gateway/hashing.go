// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/sha256"
	"hash"
	"runtime"
	"sync"
)

// hashing is the SHA-256 of a transfer. It costs a quarter of all the CPU time that a large file takes. Where there are processors to
// spare it is computed beside the moving of the bytes, in step with it: never more than one chunk behind. That costs something itself -
// on two processors, which one transfer keeps busy as it is, a tenth of the throughput - so that there, and for what is small, it is computed
// in between.
//
// It is used by one goroutine at a time; no goroutine of its own outlives Sum, or flush.
type hashing struct {
	hash   hash.Hash
	chunks *sync.Pool // of *[]byte, each of chunkSize; nil where nothing is computed beside
	chunk  *[]byte    // what has come since the last one, or nil
	filled int
	behind chan *[]byte // brings back the chunk that is being hashed; nil when none is
}

const (
	chunkSize = 64 << 10
	// besideFrom is the least that is worth handing over to another processor.
	besideFrom = 32 << 10
	// besideOn is how many processors there must be.
	besideOn = 4
)

func newHashing(chunks *sync.Pool) *hashing { return &hashing{hash: sha256.New(), chunks: chunks} }

// newHashing is the one for a transfer on this machine.
func (g *Gateway) newHashing() *hashing {
	if runtime.GOMAXPROCS(0) < besideOn {
		return newHashing(nil)
	}
	return newHashing(&g.chunks)
}

// Write takes p, which is the caller's again when it returns.
func (h *hashing) Write(p []byte) {
	if h.chunks == nil || h.chunk == nil && h.behind == nil && len(p) < besideFrom {
		h.hash.Write(p)
		return
	}
	for len(p) > 0 {
		if h.chunk == nil {
			h.chunk = h.newChunk()
		}
		n := copy((*h.chunk)[h.filled:], p)
		h.filled += n
		p = p[n:]
		if h.filled == chunkSize {
			h.hand()
		}
	}
}

// newChunk takes the one that has been hashed, or another one.
func (h *hashing) newChunk() *[]byte {
	if b, ok := h.chunks.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, chunkSize)
	return &b
}

// hand has the chunk hashed beside what comes next.
func (h *hashing) hand() {
	h.wait()
	full, done := h.chunk, make(chan *[]byte, 1)
	go func() { // wait waits for it
		h.hash.Write(*full)
		done <- full
	}()
	h.behind, h.chunk, h.filled = done, nil, 0
}

// wait returns when nothing is being hashed.
func (h *hashing) wait() {
	if h.behind != nil {
		h.chunks.Put(<-h.behind)
		h.behind = nil
	}
}

// Beside hashes p while work goes on.
func (h *hashing) Beside(p []byte, work func()) {
	if h.chunks == nil || len(p) < besideFrom {
		work()
		h.Write(p)
		return
	}
	h.flush()
	done := make(chan struct{})
	go func() {
		h.hash.Write(p)
		close(done)
	}()
	work()
	<-done
}

// flush hashes what is left.
func (h *hashing) flush() {
	h.wait()
	if h.chunk != nil {
		h.hash.Write((*h.chunk)[:h.filled])
		h.chunks.Put(h.chunk)
		h.chunk, h.filled = nil, 0
	}
}

// Sum is the digest of all that has come. More may come after it.
func (h *hashing) Sum() []byte {
	h.flush()
	return h.hash.Sum(nil)
}
