// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ftpgw/ftpgw/control"
)

// watchInterval is the time between two looks of status --watch.
const watchInterval = 2 * time.Second

// newStatusCommand is "ftpgw status".
func newStatusCommand(env environment) *cobra.Command {
	var to gatewayFlags
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "status --config FILE|DIR [--json] [--watch]",
		Short: "Show how the running gateway is doing",
		Long: `Show how the running gateway is doing: since when it runs and with which configuration, whether it is an island, its zones,
conduits and audit log, and the transfers that are running. With --watch it is shown again every two seconds until Ctrl-C, and with
--json each time as one line.`,
		Example: "  ftpgw status --config /etc/ftpgw --watch",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := to.client()
			if err != nil {
				return err
			}
			defer client.Close()
			if !watch {
				return showStatus(cmd.Context(), env, client, asJSON, "")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			return watchStatus(ctx, env, client, asJSON)
		},
	}
	to.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&watch, "watch", false, "again and again, until Ctrl-C")
	return cmd
}

func watchStatus(ctx context.Context, env environment, client *control.Client, asJSON bool) error {
	before := ""
	if f, ok := env.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !asJSON {
		before = "\x1b[H\x1b[2J" // to the top, on an empty screen (ECMA-48: CUP, ED)
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		if err := showStatus(ctx, env, client, asJSON, before); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if before == "" && !asJSON {
			if _, err := fmt.Fprintln(env.stdout); err != nil {
				return err
			}
		}
	}
}

// showStatus asks once. before is written before the answer.
func showStatus(ctx context.Context, env environment, client *control.Client, asJSON bool, before string) error {
	if asJSON {
		var document json.RawMessage
		if err := client.Ask(ctx, "GET", "/v1/status", nil, &document, nil); err != nil {
			return askError(err)
		}
		_, err := fmt.Fprintf(env.stdout, "%s\n", document)
		return err
	}
	var lines []string
	if err := client.Ask(ctx, "GET", "/v1/status?form=text", nil, &lines, nil); err != nil {
		return askError(err)
	}
	_, err := fmt.Fprintf(env.stdout, "%s%s\n", before, strings.Join(lines, "\n"))
	return err
}
