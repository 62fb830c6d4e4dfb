// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

const (
	// incidentWindow is how long incidents of one kind and address are counted before the next record tells how many there were.
	incidentWindow = time.Minute
	// maxIncidents is how many kinds and addresses are told apart within a window.
	maxIncidents = 1024
)

// incidents puts attacks, and limits that were reached, on record without letting whoever causes them fill the log: the first of a
// kind from an address is a record of its own, those that follow within the window are one record together.
type incidents struct {
	log    gateway.Recorder
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	open map[incidentKey]*tally
}

type incidentKey struct {
	event audit.Event
	zone  string
	kind  string
	from  netip.Addr // the zero Addr stands for all that had no room of their own
}

// tally counts what came behind the first one.
type tally struct {
	since time.Time
	count int
	lines int // lines that were thrown away
	last  audit.Record
}

func newIncidents(log gateway.Recorder, logger *slog.Logger) *incidents {
	return &incidents{log: log, logger: logger, now: time.Now, open: make(map[incidentKey]*tally)}
}

// report tells of one incident. r has the event, who it was about and the cause; kind says what it was, in a word. lines is how many
// lines of input were thrown away over it.
func (i *incidents) report(r audit.Record, from netip.Addr, kind string, lines int) {
	key := incidentKey{r.Event, r.Zone, kind, from}
	i.mu.Lock()
	defer i.mu.Unlock()
	t, ok := i.open[key]
	if !ok && len(i.open) >= maxIncidents {
		key.from = netip.Addr{}
		t, ok = i.open[key]
	}
	if ok {
		t.count++
		t.lines += lines
		t.last = r
		return
	}
	i.open[key] = &tally{since: i.now()}
	r.Detail = map[string]string{"kind": kind}
	if lines > 0 {
		r.Detail["swallowed"] = strconv.Itoa(lines)
	}
	i.note(r)
}

// flush puts on record what has been counted for a whole window, or everything.
func (i *incidents) flush(everything bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	for key, t := range i.open {
		if !everything && now.Sub(t.since) < incidentWindow {
			continue
		}
		if t.count == 0 {
			delete(i.open, key)
			continue
		}
		r := t.last
		r.Session = "" // it stands for many
		r.Detail = map[string]string{"kind": key.kind, "count": strconv.Itoa(t.count), "since": t.since.UTC().Format(time.RFC3339)}
		if t.lines > 0 {
			r.Detail["swallowed"] = strconv.Itoa(t.lines)
		}
		i.note(r)
		i.open[key] = &tally{since: now}
	}
}

func (i *incidents) note(r audit.Record) {
	i.logger.Warn("security", "event", r.Event, "zone", r.Zone, "peer", r.Peer, "device", r.Device, "cause", r.Cause, "detail", r.Detail)
	if err := i.log.Note(r); err != nil {
		i.logger.Error("a security event is not on record", "event", r.Event, "error", err)
	}
}

// count tells what has been counted until ctx ends, and then once more.
func (f *Front) count(ctx context.Context) {
	ticker := time.NewTicker(incidentWindow / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.incidents.flush(false)
			f.repeats.flush(false)
		case <-ctx.Done():
			f.incidents.flush(true)
			f.repeats.flush(true)
			return
		}
	}
}
