// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/spool"
)

// maxExported bounds a piece of an exported file, so that a line of the answer stays small.
const maxExported = 32 << 10

// spoolRoutes are what an operator can ask about the spool, where there is one.
func (a *appliance) spoolRoutes() []control.Route {
	f := a.gateway.Forwarder()
	if f == nil {
		return nil
	}
	change := func(name string, do func(ctx context.Context, id, who string) (spool.Entry, error)) control.Route {
		return control.Route{Pattern: "POST /v1/spool/{id}/" + name, Change: true, Handle: func(ctx context.Context, r *control.Request) (any, error) {
			e, err := do(ctx, r.Value("id"), operator(r.Peer))
			return e, spoolError(err)
		}}
	}
	return []control.Route{
		{Pattern: "GET /v1/spool", Handle: func(_ context.Context, r *control.Request) (any, error) { return a.listSpool(r) }},
		{Pattern: "GET /v1/spool/{id}", Handle: func(_ context.Context, r *control.Request) (any, error) { return a.spoolEntry(r.Value("id")) }},
		{Pattern: "POST /v1/spool/{id}/export", Change: true, Handle: func(_ context.Context, r *control.Request) (any, error) { return a.exportEntry(r) }},
		change("retry", f.Retry),
		change("hold", f.Hold),
		change("release", f.Release),
		{Pattern: "POST /v1/spool/{id}/discard", Change: true, Handle: func(ctx context.Context, r *control.Request) (any, error) {
			var ask struct {
				Reason string `json:"reason"`
			}
			if err := r.Decode(&ask); err != nil {
				return nil, err
			}
			if err := checkReason(ask.Reason); err != nil {
				return nil, err
			}
			e, err := f.Discard(ctx, r.Value("id"), operator(r.Peer), ask.Reason)
			return e, spoolError(err)
		}},
	}
}

// operator is who has asked, for the record.
func operator(p control.Peer) string {
	return "uid " + strconv.FormatUint(uint64(p.UID), 10) + ", pid " + strconv.FormatInt(int64(p.PID), 10)
}

// spoolError gives an error of the spool its status.
func spoolError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gateway.ErrState):
		return &control.Error{Status: http.StatusConflict, Message: err.Error()}
	}
	return err
}

// listSpool sends each entry in a line of its own, and their number at the end.
func (a *appliance) listSpool(r *control.Request) (any, error) {
	n := 0
	for e := range a.spool.All() {
		if err := r.Progress(e); err != nil {
			return nil, err
		}
		n++
	}
	return map[string]int{"entries": n}, nil
}

func (a *appliance) spoolEntry(id string) (spool.Entry, error) {
	e, ok := a.spool.Get(id)
	if !ok {
		return e, &control.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no entry %q in the spool", id)}
	}
	return e, nil
}

// exportEntry sends the content of an entry in pieces, and the entry at the end. That it leaves is on record before.
func (a *appliance) exportEntry(r *control.Request) (_ any, err error) {
	e, err := a.spoolEntry(r.Value("id"))
	if err != nil {
		return nil, err
	}
	data, err := a.spool.OpenData(e.ID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	rec := gateway.EntryRecord(audit.SpoolExported, e)
	rec.Cause = "exported by " + operator(r.Peer)
	if err := a.log.Record(context.Background(), rec); err != nil {
		return nil, err
	}
	piece := make([]byte, maxExported)
	for {
		n, err := io.ReadFull(data, piece)
		if n > 0 {
			if perr := r.Progress(piece[:n]); perr != nil {
				return nil, perr
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return e, nil
		case err != nil:
			return nil, err
		}
	}
}

// spoolStatus is the spool's part of the status.
func (a *appliance) spoolStatus(context.Context) (any, []string) {
	f := a.gateway.Forwarder()
	if f == nil {
		return nil, nil
	}
	s, err := f.Status()
	lines := []string{entry("spool", "%s waiting (%s), %d held, %d aside, %d kept", count(s.Waiting.Entries, "file"), bytesWord(s.Waiting.Bytes),
		s.Held.Entries, s.Aside.Entries, s.Delivered.Entries)}
	if !s.Oldest.IsZero() {
		lines = append(lines, entry("", "the oldest was accepted %s ago", ago(s.Oldest)))
	}
	if s.Damaged > 0 {
		lines = append(lines, entry("", "DAMAGED: %s set apart", count(s.Damaged, "file")))
	}
	for _, r := range s.Conduits {
		if !r.Suspended.IsZero() {
			lines = append(lines, entry("", "%s: SUSPENDED for %s, %d waiting", r.Conduit, ago(r.Suspended), r.Waiting))
		}
	}
	if err == nil {
		err = a.spool.Err()
	}
	if err != nil {
		lines = append(lines, entry("", "FAILED: %v", err))
	}
	return s, lines
}
