// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
)

// stateQueue passes changes of state on, in order and one at a time, without making whoever reports them wait.
type stateQueue struct {
	tell func(up bool, cause error)

	mu     sync.Mutex
	cond   sync.Cond
	states []state
	last   *state // the one added last
	closed bool
}

type state struct {
	up    bool
	cause error
}

func newStateQueue(tell func(bool, error)) *stateQueue {
	q := &stateQueue{tell: tell}
	q.cond.L = &q.mu
	return q
}

// put adds a change; what is none is dropped.
func (q *stateQueue) put(up bool, cause error) {
	if q.tell == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last != nil && q.last.up == up {
		return
	}
	q.last = &state{up, cause}
	q.states = append(q.states, *q.last)
	q.cond.Signal()
}

// close lets run return when it has passed everything on.
func (q *stateQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Signal()
}

func (q *stateQueue) run() {
	for {
		q.mu.Lock()
		for len(q.states) == 0 && !q.closed {
			q.cond.Wait()
		}
		todo := q.states
		q.states = nil
		q.mu.Unlock()
		if len(todo) == 0 {
			return
		}
		for _, s := range todo {
			q.tell(s.up, s.cause)
		}
	}
}

// gravity says how loud a failed attempt is logged, and what makes it the same as another one. A network that does not answer, or a
// server that goes away while it is dialled, may come back by itself; a key that does not fit needs somebody.
func gravity(err error) (slog.Level, string) {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return slog.LevelWarn, op.Op + ": " + op.Err.Error() // without the local port, which is another one each time
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errLost) {
		return slog.LevelWarn, err.Error()
	}
	return slog.LevelError, err.Error()
}
