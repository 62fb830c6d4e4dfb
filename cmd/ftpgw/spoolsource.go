// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/spool"
)

// localSpool is a copy of a spool.
type localSpool struct{ spool *spool.Spool }

func (s localSpool) close() error { return s.spool.Close() }

func (s localSpool) each(_ context.Context, do func(spool.Entry) error) error {
	for e := range s.spool.All() {
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

func (s localSpool) get(_ context.Context, id string) (spool.Entry, error) {
	e, ok := s.spool.Get(id)
	if !ok {
		return e, fmt.Errorf("there is no entry %q in the spool", id)
	}
	return e, nil
}

func (s localSpool) export(ctx context.Context, id string, w io.Writer) (e spool.Entry, err error) {
	if e, err = s.get(ctx, id); err != nil {
		return e, err
	}
	data, err := s.spool.OpenData(id)
	if err != nil {
		return e, err
	}
	_, err = io.Copy(w, data)
	if cerr := data.Close(); err == nil {
		err = cerr
	}
	return e, err
}

// remoteSpool is the spool of a running gateway.
type remoteSpool struct{ client *control.Client }

func (s remoteSpool) close() error {
	s.client.Close()
	return nil
}

func (s remoteSpool) each(ctx context.Context, do func(spool.Entry) error) error {
	return askError(s.client.Ask(ctx, "GET", "/v1/spool", nil, nil, func(line json.RawMessage) error {
		var e spool.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("understand an entry: %w", err)
		}
		return do(e)
	}))
}

func (s remoteSpool) get(ctx context.Context, id string) (e spool.Entry, err error) {
	return e, askError(s.client.Ask(ctx, "GET", entryPath(id, ""), nil, &e, nil))
}

func (s remoteSpool) export(ctx context.Context, id string, w io.Writer) (e spool.Entry, err error) {
	return e, askError(s.client.Ask(ctx, "POST", entryPath(id, "/export"), nil, &e, func(line json.RawMessage) error {
		var piece []byte
		if err := json.Unmarshal(line, &piece); err != nil {
			return fmt.Errorf("understand a piece of the file: %w", err)
		}
		_, err := w.Write(piece)
		return err
	}))
}
