// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/durable"
	"github.com/ftpgw/ftpgw/sftpback"
)

const (
	// islandCalm is how long transfers that are broken off get to take away what they have left on the far side.
	islandCalm = 5 * time.Second
	// islandPatience bounds how long an operator waits until nothing crosses any more.
	islandPatience = time.Minute
)

// islandSwitch is what "ftpgw island" has ordered last. It is kept in the state directory, so that a restart changes nothing.
type islandSwitch struct {
	On     bool      `json:"on"`
	Reason string    `json:"reason,omitempty"`
	UID    uint32    `json:"uid"`
	Since  time.Time `json:"since"`
}

// islandStatus is what is shown of an island. Its field names are a contract.
type islandStatus struct {
	On       bool      `json:"on"`
	Complete bool      `json:"complete"` // nothing crosses any more; false while the last of it is waited for
	By       []string  `json:"by"`       // "configuration", "switch"
	Mode     string    `json:"mode"`     // what devices can do: "refuse" or "spool"
	Reason   string    `json:"reason,omitempty"`
	UID      *uint32   `json:"uid,omitempty"` // who set the switch
	Since    time.Time `json:"since,omitzero"`
}

// island makes the gateway an island, and ends that. The gateway is one while the configuration orders it or the switch is on: each
// of the two can make it an island, and neither can lift what the other has ordered.
type island struct {
	file     string
	gateway  *gateway.Gateway
	front    *ftpfront.Front
	conduits map[string]*sftpback.Conduit
	log      *audit.Log
	logger   *slog.Logger

	working sync.Mutex // one change at a time

	mu       sync.Mutex
	set      islandSwitch
	ordered  time.Time // since when the configuration orders it; zero where it does not
	mode     config.IslandMode
	complete bool
}

// openIsland reads the switch. One that cannot be read counts as on: nothing may cross because a file was damaged.
func (a *appliance) openIsland() {
	i := &island{
		file: filepath.Join(a.cfg.Gateway.StateDir, "island.json"), gateway: a.gateway, front: a.front, conduits: a.conduits, log: a.log,
		logger: a.logger, mode: a.cfg.IslandMode,
	}
	text, err := os.ReadFile(i.file)
	if err == nil {
		err = json.Unmarshal(text, &i.set)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		i.set = islandSwitch{On: true, Reason: fmt.Sprintf("the switch could not be read: %v", err), Since: time.Now().UTC()}
		a.logger.Error("the switch of the island could not be read, so that nothing crosses", "file", i.file, "error", err)
	}
	if a.cfg.Island {
		i.ordered = time.Now().UTC()
	}
	a.island = i
}

// begin is the island at the start of the gateway, before a device or a conduit can be reached.
func (i *island) begin(ctx context.Context) error {
	s := i.status()
	if !s.On {
		return nil
	}
	i.logger.Warn("the gateway is an island: nothing crosses", "by", s.By, "reason", s.Reason)
	i.record(ctx, true, s, nil)
	return i.apply(ctx)
}

func (i *island) status() islandStatus {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := islandStatus{Mode: string(i.mode), By: []string{}, Complete: i.complete}
	if i.set.On {
		s.By, s.Reason, s.UID, s.Since = append(s.By, "switch"), i.set.Reason, &i.set.UID, i.set.Since
	}
	if !i.ordered.IsZero() {
		s.By = append(s.By, "configuration")
		if s.Since.IsZero() || i.ordered.Before(s.Since) {
			s.Since = i.ordered
		}
	}
	s.On = len(s.By) > 0
	return s
}

// order takes over what a configuration says.
func (i *island) order(ctx context.Context, cfg *config.Config, who map[string]string) error {
	i.working.Lock()
	defer i.working.Unlock()
	before := i.status()
	i.mu.Lock()
	i.mode = cfg.IslandMode
	switch {
	case !cfg.Island:
		i.ordered = time.Time{}
	case i.ordered.IsZero():
		i.ordered = time.Now().UTC()
	}
	i.mu.Unlock()
	return i.change(ctx, before, who)
}

// turn sets the switch. Off is refused while the configuration orders an island.
func (i *island) turn(ctx context.Context, on bool, reason string, by control.Peer) (islandStatus, error) {
	i.working.Lock()
	defer i.working.Unlock()
	before := i.status()
	i.mu.Lock()
	ordered := !i.ordered.IsZero()
	i.mu.Unlock()
	if !on && ordered {
		return before, &control.Error{Status: http.StatusConflict,
			Message: "the configuration orders the island, so that the switch cannot lift it: take island = true out and reload"}
	}
	set := islandSwitch{On: on, Reason: reason, UID: by.UID, Since: time.Now().UTC()}
	if held := i.switched(); on && held.On { // it has been one since then, whoever says so again
		set.Since = held.Since
		set.Reason = cmp.Or(reason, held.Reason)
	}
	text, err := json.Marshal(set)
	if err != nil {
		return before, fmt.Errorf("encode the switch of the island: %w", err)
	}
	kept := durable.WriteFile(i.file, append(text, '\n'), lockMode)
	if kept != nil {
		kept = fmt.Errorf("it does not outlast a restart: %w", kept)
		if !on { // after a restart it would be an island again, but nobody would expect that
			return before, kept
		}
	}
	i.mu.Lock()
	i.set = set
	i.mu.Unlock()
	who := map[string]string{"uid": strconv.FormatUint(uint64(by.UID), 10), "pid": strconv.Itoa(int(by.PID))}
	err = i.change(ctx, before, who)
	return i.status(), errors.Join(err, kept)
}

// switched is the switch as it stands.
func (i *island) switched() islandSwitch {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.set
}

// change brings about what has been ordered. On is carried out before all else, and even if it cannot be put on record.
func (i *island) change(ctx context.Context, before islandStatus, who map[string]string) error {
	s := i.status()
	if s.On {
		i.gateway.Isolate()
	}
	if s.On || before.On {
		if err := i.record(ctx, s.On, s, who); err != nil && !s.On {
			return err
		}
	}
	return i.apply(ctx)
}

// apply makes the gateway what it is to be, and returns when it is: of an island, when nothing crosses any more.
func (i *island) apply(ctx context.Context) error {
	s := i.status()
	if !s.On {
		i.gateway.Reconnect()
		for _, c := range i.conduits {
			c.Resume()
		}
		i.front.SetIsland(false)
		i.setComplete(false)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), islandPatience)
	defer cancel()
	i.gateway.Isolate()
	i.front.SetIsland(s.Mode != string(config.IslandSpool))
	i.front.BreakOff()
	calm, stop := context.WithTimeout(ctx, islandCalm)
	if err := i.gateway.AwaitCalm(calm); err != nil {
		i.logger.Warn("transfers that were broken off may have left a temporary file on the far side until the island is over", "error", err)
	}
	stop()
	var failures []error
	for _, c := range i.conduits {
		failures = append(failures, c.Suspend(ctx))
	}
	if err := errors.Join(append(failures, i.gateway.AwaitStill(ctx))...); err != nil {
		return fmt.Errorf("nothing new crosses, but the last of what did is not over: %w", err)
	}
	i.setComplete(true)
	return nil
}

func (i *island) setComplete(complete bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.complete = complete
}

// record puts on record, durably, that the island begins, goes on after a restart, or ends.
func (i *island) record(ctx context.Context, on bool, s islandStatus, who map[string]string) error {
	r := audit.Record{Event: audit.IslandOff, Detail: map[string]string{}}
	if on {
		r.Event, r.Cause = audit.IslandOn, s.Reason
		r.Detail["mode"], r.Detail["since"] = s.Mode, s.Since.Format(time.RFC3339)
		for _, by := range s.By {
			r.Detail["by_"+by] = "true"
		}
	}
	maps.Copy(r.Detail, who)
	i.logger.Warn(string(r.Event), "reason", r.Cause, "detail", r.Detail)
	if err := i.log.Record(context.WithoutCancel(ctx), r); err != nil {
		i.logger.Error("an island is not on record", "event", r.Event, "error", err)
		return err
	}
	return nil
}
