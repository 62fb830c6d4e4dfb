// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"time"
)

const (
	// remembered is how long a password that was right is known to be, and maxRemembered how many are.
	remembered    = 5 * time.Minute
	maxRemembered = 4096
)

// Checker checks passwords without letting whoever sends them have the processors and the memory: a few at a time, those of unknown
// senders never in all places, and what was right a moment ago not again. It is safe for concurrent use.
type Checker struct {
	places    chan struct{} // one for each check that runs
	strangers chan struct{} // one for each of them that nobody is known for
	verify    func(hash string, password []byte) bool
	now       func() time.Time

	key   [32]byte // of this process: what is remembered is worth nothing elsewhere
	mu    sync.Mutex
	right map[[sha256.Size]byte]time.Time // until when
}

// NewChecker makes a Checker of so many checks at a time, at least two; 0 is one for each processor. One of them is kept for known
// senders.
func NewChecker(most int) *Checker {
	if most == 0 {
		most = runtime.GOMAXPROCS(0)
	}
	most = max(most, 2)
	c := &Checker{
		places: make(chan struct{}, most), strangers: make(chan struct{}, most-1), verify: Verify, now: time.Now,
		right: make(map[[sha256.Size]byte]time.Time),
	}
	rand.Read(c.key[:]) // crypto/rand.Read never fails
	return c
}

// Check is Verify when its turn comes. Known senders do not wait for unknown ones. The error is that ctx ended before.
func (c *Checker) Check(ctx context.Context, hash string, password []byte, known bool) (bool, error) {
	id := c.digest(hash, password)
	if c.remembers(id) {
		return true, nil
	}
	right, err := c.compute(ctx, hash, password, known)
	if right {
		c.remember(id)
	}
	return right, err
}

// Pretend takes as long as Check takes over a password that is wrong, whatever this one is: nothing is remembered, and what is
// remembered is not asked.
func (c *Checker) Pretend(ctx context.Context, hash string, password []byte, known bool) error {
	_, err := c.compute(ctx, hash, password, known)
	return err
}

// compute is Verify when its turn comes.
func (c *Checker) compute(ctx context.Context, hash string, password []byte, known bool) (bool, error) {
	if !known {
		if err := take(ctx, c.strangers); err != nil {
			return false, err
		}
		defer func() { <-c.strangers }()
	}
	if err := take(ctx, c.places); err != nil {
		return false, err
	}
	defer func() { <-c.places }()
	return c.verify(hash, password), nil
}

func take(ctx context.Context, places chan<- struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// digest stands for a hash and a password. The hash in it has it forgotten when the configuration changes.
func (c *Checker) digest(hash string, password []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, c.key[:])
	// A hash never returns an error. The length keeps one from running into the other.
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(hash))))
	_, _ = h.Write([]byte(hash))
	_, _ = h.Write(password)
	return [sha256.Size]byte(h.Sum(nil))
}

func (c *Checker) remembers(id [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.right[id])
}

// remember notes a password that was right; of one that was wrong nothing is kept.
func (c *Checker) remember(id [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if len(c.right) >= maxRemembered {
		c.forget(now)
	}
	c.right[id] = now.Add(remembered)
}

// forget makes room: what is over goes, or any one.
func (c *Checker) forget(now time.Time) {
	var victim [sha256.Size]byte
	for id, until := range c.right {
		victim = id
		if !now.Before(until) {
			delete(c.right, id)
		}
	}
	delete(c.right, victim)
}
