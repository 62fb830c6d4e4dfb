// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

// watchedLog shows what the log has taken.
type watchedLog struct {
	gateway.Recorder
	seen func(audit.Record)
}

func (w *watchedLog) Record(ctx context.Context, r audit.Record) error {
	if err := w.Recorder.Record(ctx, r); err != nil {
		return err
	}
	w.seen(r)
	return nil
}

func (w *watchedLog) Note(r audit.Record) error {
	if err := w.Recorder.Note(r); err != nil {
		return err
	}
	w.seen(r)
	return nil
}
