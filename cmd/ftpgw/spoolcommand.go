// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/spool"
)

// newSpoolCommand is "ftpgw spool", under which stands all that is done with files that are held on the appliance.
func newSpoolCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look at files that wait to be delivered, and decide about them",
		Long: `Look at files that wait in the spool of a running gateway, and decide about those that cannot be delivered. The running gateway
is found with --config or --socket. list, show and export also read a copy of the spool's directory, with --dir.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newSpoolListCommand(env),
		newSpoolShowCommand(env),
		newSpoolExportCommand(env),
		newSpoolChangeCommand(env, spoolChange{verb: "retry", past: "will be tried again", short: "Have files delivered that were set aside, or wait for their next attempt", states: []spool.State{spool.Aside, spool.Waiting}}),
		newSpoolChangeCommand(env, spoolChange{verb: "hold", past: "is held", short: "Keep files from being delivered until they are released", states: []spool.State{spool.Waiting, spool.Aside}}),
		newSpoolChangeCommand(env, spoolChange{verb: "release", past: "is released", short: "Have files delivered that are held, or wait for the rest of their set", states: []spool.State{spool.Held}}),
		newSpoolChangeCommand(env, spoolChange{verb: "discard", past: "is discarded", short: "Give files up for good: nobody has them any more", reason: true}),
	)
	return cmd
}

// spoolFlags lead to a spool: that of the running gateway, or a copy.
type spoolFlags struct {
	to            gatewayFlags
	dir, identity string
}

func (f *spoolFlags) add(cmd *cobra.Command) {
	f.to.add(cmd)
	cmd.Flags().StringVar(&f.dir, "dir", "", "the directory of a copy of a spool, instead of the running gateway's")
	cmd.Flags().StringVar(&f.identity, "age-identity", "", "with --dir: the file of the age identity, where the spool is encrypted")
}

// spoolReader is a spool to look at.
type spoolReader interface {
	each(ctx context.Context, do func(spool.Entry) error) error
	get(ctx context.Context, id string) (spool.Entry, error)
	export(ctx context.Context, id string, w io.Writer) (spool.Entry, error)
	close() error
}

// with opens the spool, does something with it, and closes it.
func (f *spoolFlags) with(do func(s spoolReader) error) (err error) {
	s, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return do(s)
}

func (f *spoolFlags) open() (spoolReader, error) {
	if f.dir == "" {
		client, err := f.to.client()
		if err != nil {
			return nil, err
		}
		return remoteSpool{client}, nil
	}
	if f.to.config != "" || f.to.socket != "" {
		return nil, errors.New("--dir is about a copy, --config and --socket lead to a running gateway: give one of them")
	}
	identities, err := ageIdentities(f.identity)
	if err != nil {
		return nil, err
	}
	s, err := spool.OpenReadOnly(spool.Options{Dir: f.dir, Identities: identities})
	if err != nil {
		return nil, err
	}
	return localSpool{s}, nil
}

// newSpoolListCommand is "ftpgw spool list".
func newSpoolListCommand(env environment) *cobra.Command {
	var from spoolFlags
	var filter entryFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [--config FILE|DIR | --dir DIR] [flags]",
		Short:   "List the files in the spool, in the order in which they were accepted",
		Example: "  ftpgw spool list --config /etc/ftpgw --state aside",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := filter.check(); err != nil {
				return err
			}
			return from.with(func(s spoolReader) error {
				return s.each(cmd.Context(), func(e spool.Entry) error {
					if !filter.match(e) {
						return nil
					}
					return writeEntry(env.stdout, e, asJSON)
				})
			})
		},
	}
	from.add(cmd)
	filter.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "a line of JSON for each")
	return cmd
}

func writeEntry(w io.Writer, e spool.Entry, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(e)
	}
	line := fmt.Sprintf("%s %s %-9s %s %s:%s %s", e.ID, e.Accepted.Format("2006-01-02T15:04:05Z"), e.State, e.Device, e.Conduit, visible(e.Full()), sizeWord(e))
	if e.LastError != "" {
		line += fmt.Sprintf(" (%s: %s)", count(e.Attempts, "attempt"), visible(e.LastError))
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// newSpoolShowCommand is "ftpgw spool show".
func newSpoolShowCommand(env environment) *cobra.Command {
	var from spoolFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ENTRY [--config FILE|DIR | --dir DIR]",
		Short:   "Show all that is known about one file in the spool",
		Example: "  ftpgw spool show 0000000000000fa1 --config /etc/ftpgw",
		Args:    oneEntry,
		RunE: func(cmd *cobra.Command, args []string) error {
			return from.with(func(s spoolReader) error {
				e, err := s.get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(env.stdout).Encode(e)
				}
				_, err = io.WriteString(env.stdout, describeEntry(e))
				return err
			})
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// oneEntry wants exactly one argument.
func oneEntry(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return withHint(errors.New("one entry is needed"), `"ftpgw spool list" shows them; an entry is named by its 16 digits`)
	}
	return nil
}
