// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"context"
	"math"
	"slices"

	"golang.org/x/time/rate"

	"github.com/ftpgw/ftpgw/policy"
)

// Pieces are what is moved between two waits: an eighth of a second's worth, so that a device always sees progress, and so that
// transfers which share a bandwidth take turns.
const (
	leastPiece = 512
	mostPiece  = 64 << 10
)

// Limiter slows what moves under the bandwidths that bind it. All Limiters of an account share its bandwidth, in the order in which they
// ask. It is safe for concurrent use. A nil Limiter slows nothing.
type Limiter struct {
	buckets []*rate.Limiter
	piece   int
}

// Limiter is the one for what these bounds bind, beside every transfer that they bind, too. Where a new policy
// has another bandwidth for an account, those that are there already keep the one they have.
func (s *Store) Limiter(bounds ...policy.Bound) *Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limiter(bounds)
}

func (s *Store) limiter(bounds []policy.Bound) *Limiter {
	l := &Limiter{piece: math.MaxInt}
	for _, b := range bounds {
		if b.Bandwidth == 0 {
			continue
		}
		piece := int(min(max(b.Bandwidth/8, leastPiece), mostPiece))
		// What a limiter lets pass at once makes up for waits that took longer than they should.
		limit, burst := rate.Limit(b.Bandwidth), max(piece, int(min(b.Bandwidth/4, math.MaxInt32)))
		a := s.book.account(b.Key())
		if a.bucket == nil || a.bucket.Limit() != limit {
			a.bucket = rate.NewLimiter(limit, burst)
		}
		l.buckets = append(l.buckets, a.bucket)
		l.piece = min(l.piece, piece)
	}
	return l
}

// Piece is how many bytes should move between two Waits at most.
func (l *Limiter) Piece() int {
	if l == nil {
		return math.MaxInt
	}
	return l.piece
}

// Passes reports whether n bytes would pass at once in this moment.
func (l *Limiter) Passes(n int) bool {
	if l == nil {
		return true
	}
	n = min(n, l.piece)
	return !slices.ContainsFunc(l.buckets, func(b *rate.Limiter) bool { return b.Tokens() < float64(n) })
}

// Wait returns nil when n bytes may pass, and an error as soon as ctx ends.
func (l *Limiter) Wait(ctx context.Context, n int) error {
	if l == nil {
		return nil
	}
	for n > 0 && len(l.buckets) > 0 {
		m := min(n, l.piece)
		for _, b := range l.buckets {
			if err := b.WaitN(ctx, m); err != nil {
				return err
			}
		}
		n -= m
	}
	return nil
}

// Pace is the Limiter of what the grant moves.
func (g *Grant) Pace() *Limiter {
	if g == nil {
		return nil
	}
	return g.pace
}
