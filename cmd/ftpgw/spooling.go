// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/durable"
	"github.com/ftpgw/ftpgw/spool"
)

// makeSpoolDir makes the directory of the spool where it is missing: the process is confined to directories that are there.
func makeSpoolDir(c *config.Spool) error {
	if c == nil {
		return nil
	}
	return durable.MkdirAll(c.Dir, 0o700)
}

// openSpool opens the spool of a configuration; nil where it has none.
func openSpool(c *config.Spool, logger *slog.Logger) (*spool.Spool, error) {
	if c == nil {
		return nil, nil
	}
	o, err := spoolOptions(c, logger)
	if err != nil {
		return nil, err
	}
	s, err := spool.Open(o)
	if err != nil {
		return nil, err
	}
	r := s.Recovered()
	logger.Info("spool opened", "dir", c.Dir, "entries", r.Entries, "elapsed", r.Elapsed.Round(time.Millisecond))
	return s, nil
}

func spoolOptions(c *config.Spool, logger *slog.Logger) (o spool.Options, err error) {
	o = spool.Options{Dir: c.Dir, MaxSize: c.MaxSize, MaxFiles: c.MaxFiles, MinFree: c.MinFree, Logger: logger}
	var rerr, ierr error
	o.Recipients, rerr = ageRecipients(c.Recipient)
	o.Identities, ierr = ageIdentities(c.Identity)
	return o, errors.Join(rerr, ierr)
}

// forwardOptions say how the spool is emptied.
func forwardOptions(c *config.Spool) gateway.ForwardOptions {
	if c == nil {
		return gateway.ForwardOptions{}
	}
	return gateway.ForwardOptions{Workers: c.Workers, Keep: c.Keep}
}

// closeSpool closes what openSpool has opened.
func closeSpool(s *spool.Spool) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// forward empties the spool until ctx ends and nothing is under way any more.
func (a *appliance) forward(ctx context.Context) {
	if f := a.gateway.Forwarder(); f != nil {
		f.Run(ctx)
	}
}

// recordSpool puts on record what was found in the spool.
func (a *appliance) recordSpool(ctx context.Context) error {
	if a.spool == nil {
		return nil
	}
	r := a.spool.Recovered()
	for _, d := range r.Damaged {
		a.logger.Error("ALARM: a file in the spool is damaged and was set apart", "entry", d.ID, "now", d.Path, "cause", d.Cause)
	}
	return a.log.Record(ctx, audit.Record{Event: audit.SpoolRecovered, Detail: map[string]string{
		"entries": strconv.Itoa(r.Entries), "bytes": strconv.FormatInt(r.Bytes, 10), "removed": strconv.Itoa(r.Incomplete + r.Orphans),
		"damaged": strconv.Itoa(len(r.Damaged)), "set_apart": strconv.Itoa(r.SetApart),
	}})
}
