// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"sync"
	"time"
)

const (
	// lateness is how long ago something may have been seen.
	lateness = 10 * time.Minute
	// manyPaths is how many of them are remembered.
	manyPaths = 2000
)

// lately are remote paths that were found to be what was expected a short time ago, and none of them by way of a symbolic link below the
// home. They are not trusted: what is done on their account is sent together with the questions that it would otherwise wait for, and
// is taken back where the answers are others than they were.
type lately struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func newLately() *lately { return &lately{seen: make(map[string]time.Time)} }

func (l *lately) has(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.seen[remote]
	return ok && time.Since(at) < lateness
}

// add remembers a path. When there are too many all others are forgotten: what that costs is one round trip for each.
func (l *lately) add(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.seen[remote]; !known && len(l.seen) >= manyPaths {
		clear(l.seen)
	}
	l.seen[remote] = time.Now()
}

func (l *lately) remove(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, remote)
}
