// SPDX-License-Identifier: Apache-2.0

package keylock

import (
	"context"
	"sync"
)

// Locks is a lock for each key, made when it is needed. The zero value is ready, and safe for concurrent use.
type Locks struct {
	// Width is how many may hold the lock of one key at a time; 0 is one. It is set before the first use.
	Width int

	mu   sync.Mutex
	held map[string]*entry
}

type entry struct {
	token chan struct{} // holds one element for each holder
	users int           // holders and waiters; guarded by Locks.mu
}

// Lock returns a function that unlocks, or the error of a ctx that ended first.
func (k *Locks) Lock(ctx context.Context, key string) (unlock func(), err error) {
	l := k.enter(key)
	select {
	case l.token <- struct{}{}:
		return func() { <-l.token; k.leave(key, l) }, nil
	case <-ctx.Done():
		k.leave(key, l)
		return nil, ctx.Err()
	}
}

// Users is how many hold or wait for the lock of a key.
func (k *Locks) Users(key string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.held[key]; l != nil {
		return l.users
	}
	return 0
}

// Len is the number of keys that somebody holds or waits for.
func (k *Locks) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held)
}

func (k *Locks) enter(key string) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = make(map[string]*entry)
	}
	l := k.held[key]
	if l == nil {
		l = &entry{token: make(chan struct{}, max(k.Width, 1))}
		k.held[key] = l
	}
	l.users++
	return l
}

func (k *Locks) leave(key string, l *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.held, key)
	}
}
