// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// entryPath is where an entry is to be published, below the conduit's root.
func entryPath(e spool.Entry) string { return path.Join("/", e.Home, e.Path) }

// entryLocation is the same for a Remote.
func entryLocation(e spool.Entry) Location { return Location{Home: e.Home, Path: e.Path} }

// isVisible reports whether an entry is what a device sees: one that is kept after its delivery is not, nor is one that was held or set
// aside until a newer version of the file was delivered.
func isVisible(e spool.Entry) bool { return e.State.Live() && !isSuperseded(e) }

func isSuperseded(e spool.Entry) bool {
	if e.State != spool.Held && e.State != spool.Aside { // what waits is delivered in its turn
		return false
	}
	p, err := planOf(e)
	return err == nil && p.Superseded
}

// makeDir has a directory wait for its delivery.
func (h *holding) makeDir(ctx context.Context, o Origin, conduit string, l Location) error {
	o.Op = policy.Mkdir
	up, err := h.begin(Target{Location: l, Digest: emptyDigest}, o, conduit, policy.Delivery{})
	if err != nil {
		return err
	}
	if _, err := up.Commit(ctx, Terms{Origin: o}); err != nil {
		return err
	}
	up.release()
	return nil
}

// emptyDigest is the SHA-256 of no bytes.
func emptyDigest() []byte {
	sum := sha256.Sum256(nil)
	return sum[:]
}

// discard gives entries up, with a record of each before it is gone.
func (h *holding) discard(entries []spool.Entry, why string) error {
	for _, e := range entries {
		r := EntryRecord(audit.SpoolDiscarded, e)
		r.Cause = why
		if err := h.log.Record(context.Background(), r); err != nil {
			return &logFailure{err}
		}
		if err := h.store.Remove(e.ID); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		h.left(e)
	}
	return nil
}

// move renames what is held under one name, or below it, to another.
func (h *holding) move(entries []spool.Entry, from, to Location) error {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	old := from.String()
	err := h.store.UpdateAll(ids, func(e *spool.Entry) error {
		rest := strings.TrimPrefix(entryPath(*e), old)
		e.Home, e.Path = to.Home, path.Join(to.Path, rest)
		return changeSet(e)
	})
	for _, was := range entries { // after an error some are renamed all the same
		if e, ok := h.store.Get(was.ID); ok && e.Version != was.Version {
			h.added(e)
		}
		h.left(was)
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// changeSet puts an entry that was renamed into the set of its new name, where it waits for the others.
func changeSet(e *spool.Entry) error {
	return changePlan(e, func(p *plan) {
		if set := setOf(p.SetKind, entryLocation(*e)); set != e.Set {
			e.Set, p.Released, p.Behind, p.Place = set, false, "", 0
		}
	})
}

// changePlan changes what is kept for the delivery of an entry.
func changePlan(e *spool.Entry, change func(*plan)) error {
	p, err := planOf(*e)
	if err != nil {
		return err
	}
	change(&p)
	e.Plan, err = json.Marshal(p)
	return err
}

// date sets the time of modification, which the file gets across the conduit, too.
func (h *holding) date(e spool.Entry, t time.Time) error {
	_, err := h.store.Update(e.ID, func(e *spool.Entry) error {
		e.ModTime = t
		return changePlan(e, func(p *plan) { p.Dated = true })
	})
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// chmod sets the permission bits, which the file gets across the conduit.
func (h *holding) chmod(e spool.Entry, mode fs.FileMode) error {
	_, err := h.store.Update(e.ID, func(e *spool.Entry) error {
		return changePlan(e, func(p *plan) { p.Mode = &mode })
	})
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}
