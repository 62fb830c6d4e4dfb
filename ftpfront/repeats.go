// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"log/slog"
	"sync"
	"time"
)

// repeats keeps a trouble of the gateway itself that every device meets, such as a full disk, from filling the operator log: the first
// line of a kind is written at once, those that would follow within incidentWindow are one line together. What is told by address is
// for incidents.
type repeats struct {
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	open map[string]*repeated // by message: there are as many as places in the program that report here
}

// repeated counts what came behind the first line.
type repeated struct {
	since time.Time
	count int
	last  error
}

func newRepeats(logger *slog.Logger) *repeats {
	return &repeats{logger: logger, now: time.Now, open: make(map[string]*repeated)}
}

// report writes or counts one error. message is a constant of the program; args belong to the first line only.
func (r *repeats) report(message string, err error, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.open[message]; ok {
		t.count++
		t.last = err
		return
	}
	r.open[message] = &repeated{since: r.now()}
	r.logger.Error(message, append([]any{"error", err}, args...)...)
}

// flush writes what has been counted for a whole window, or everything.
func (r *repeats) flush(everything bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for message, t := range r.open {
		if !everything && now.Sub(t.since) < incidentWindow {
			continue
		}
		if t.count == 0 {
			delete(r.open, message)
			continue
		}
		r.logger.Error(message, "error", t.last, "count", t.count, "since", t.since.UTC().Format(time.RFC3339))
		r.open[message] = &repeated{since: now}
	}
}
