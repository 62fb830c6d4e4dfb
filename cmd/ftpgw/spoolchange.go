// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/internal/durable"
	"github.com/ftpgw/ftpgw/spool"
)

// entryPath is where the gateway answers about an entry.
func entryPath(id, what string) string { return "/v1/spool/" + url.PathEscape(id) + what }

// spoolChange is one of the things that can be done with entries.
type spoolChange struct {
	verb, past, short string
	states            []spool.State // of entries that --all means; none: there is no --all
	reason            bool          // it has to be said why
}

func newSpoolChangeCommand(env environment, c spoolChange) *cobra.Command {
	var to gatewayFlags
	var all bool
	var filter entryFilter
	var reason string
	use, example := c.verb+" ENTRY... --config FILE|DIR", "  ftpgw spool "+c.verb+" 0000000000000fa1 --config /etc/ftpgw"
	if len(c.states) > 0 {
		use = c.verb + " (ENTRY... | --all) --config FILE|DIR"
		example += "\n  ftpgw spool " + c.verb + " --all --device relay-12 --config /etc/ftpgw"
	}
	if c.reason {
		use += " --reason WHY"
		example += " --reason 'sent again by hand'"
	}
	cmd := &cobra.Command{
		Use:     use,
		Short:   c.short,
		Example: example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			switch {
			case len(ids) == 0 && !all:
				return withHint(errors.New("no entry is named"), `"ftpgw spool list" shows them; an entry is named by its 16 digits`)
			case len(ids) > 0 && all:
				return errors.New("--all and names of entries: give one of them")
			case c.reason && reason == "":
				return withHint(errors.New("--reason is required"), "say for the record why: --reason \"sent again by hand\"")
			}
			if err := filter.check(); err != nil {
				return err
			}
			client, err := to.client()
			if err != nil {
				return err
			}
			defer client.Close()
			if all {
				if ids, err = c.selected(cmd.Context(), remoteSpool{client}, filter); err != nil {
					return err
				}
			}
			return c.carryOut(cmd.Context(), env, client, ids, reason)
		},
	}
	to.add(cmd)
	if len(c.states) > 0 {
		cmd.Flags().BoolVar(&all, "all", false, "all entries with which this can be done, or those selected by the flags below")
		filter.add(cmd)
	}
	if c.reason {
		cmd.Flags().StringVar(&reason, "reason", "", "why, for the record (required)")
	}
	return cmd
}

// selected names the entries that --all means.
func (c spoolChange) selected(ctx context.Context, s spoolReader, filter entryFilter) (ids []string, err error) {
	err = s.each(ctx, func(e spool.Entry) error {
		if slices.Contains(c.states, e.State) && filter.match(e) {
			ids = append(ids, e.ID)
		}
		return nil
	})
	return ids, err
}

// carryOut goes on behind an entry with which it cannot be done, and fails in the end.
func (c spoolChange) carryOut(ctx context.Context, env environment, client *control.Client, ids []string, reason string) error {
	bar := &progressBar{out: env.stderr}
	failed := 0
	var body any
	if c.reason {
		body = map[string]string{"reason": reason}
	}
	for i, id := range ids {
		var e spool.Entry
		err := client.Ask(ctx, "POST", entryPath(id, "/"+c.verb), body, &e, nil)
		if refused := (*control.Error)(nil); err != nil && !errors.As(err, &refused) {
			return askError(err)
		}
		if env.terminal {
			bar.clear()
		}
		if err != nil {
			failed++
			if _, err := fmt.Fprintf(env.stderr, "ftpgw: %s: %v\n", id, err); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintf(env.stdout, "%s %s:%s %s\n", e.ID, e.Conduit, visible(e.Full()), c.past); err != nil {
			return err
		}
		if env.terminal {
			bar.show(int64(i+1), int64(len(ids)))
		}
	}
	if env.terminal {
		bar.clear()
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s could not be changed", failed, countEntries(len(ids)))
	}
	return nil
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// newSpoolExportCommand is "ftpgw spool export".
func newSpoolExportCommand(env environment) *cobra.Command {
	var from spoolFlags
	var to string
	cmd := &cobra.Command{
		Use:     "export ENTRY [--to FILE] [--config FILE|DIR | --dir DIR]",
		Short:   "Copy the content of one file out of the spool, which keeps it",
		Example: "  ftpgw spool export 0000000000000fa1 --to fault.dat --config /etc/ftpgw",
		Args:    oneEntry,
		RunE: func(cmd *cobra.Command, args []string) error {
			return from.with(func(s spoolReader) error {
				if to == "" {
					e, err := s.get(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					to = path.Base(e.Path)
				}
				if _, err := os.Lstat(to); err == nil {
					return withHint(fmt.Errorf("there is something under the name %s already", to), "name another file with --to")
				}
				return exportEntry(cmd.Context(), env, s, args[0], to)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the file to write (default: the file's own name, in the current directory)")
	return cmd
}

// exportEntry writes the file whole or not at all, and compares its digest with what was accepted.
func exportEntry(ctx context.Context, env environment, s spoolReader, id, to string) error {
	var e spool.Entry
	err := durable.WriteStream(to, 0o600, func(w io.Writer) (err error) {
		h := sha256.New()
		if e, err = s.export(ctx, id, io.MultiWriter(w, h)); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != e.SHA256 {
			return fmt.Errorf("the content has the SHA-256 %s, that of the accepted file is %s", got, e.SHA256)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "%s: %d bytes, SHA-256 %s\n", to, e.Size, e.SHA256)
	return err
}
