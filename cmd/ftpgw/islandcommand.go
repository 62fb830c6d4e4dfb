// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newIslandCommand is "ftpgw island".
func newIslandCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "island",
		Short: "Cut the running gateway off from all conduits, or end that",
		Long: `While the gateway is an island nothing crosses any conduit in either direction: transfers are broken off, and nothing of
them is published; the connections of the conduits are closed and not made again; devices get a 421, or may upload into the
spool where the configuration has island_mode = "spool". The switch outlasts a restart. An island that the configuration orders
(island = true) cannot be lifted with it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newIslandTurnCommand(env, "on", "Cut the gateway off from all conduits; returns when nothing crosses any more"),
		newIslandTurnCommand(env, "off", "End an island that \"ftpgw island on\" has begun"),
		newIslandStatusCommand(env),
	)
	return cmd
}

func newIslandTurnCommand(env environment, word, short string) *cobra.Command {
	var to gatewayFlags
	var reason string
	cmd := &cobra.Command{
		Use:     word + " --config FILE|DIR [--reason TEXT]",
		Short:   short,
		Example: fmt.Sprintf("  ftpgw island %s --config /etc/ftpgw --reason 'incident 4711'", word),
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askIsland(cmd, env, to, "POST", "/v1/island/"+word, map[string]string{"reason": reason}, false)
		},
	}
	to.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record and for whoever looks at the status")
	return cmd
}

func newIslandStatusCommand(env environment) *cobra.Command {
	var to gatewayFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status --config FILE|DIR [--json]",
		Short:   "Say whether the gateway is an island, since when, by whom and why",
		Example: "  ftpgw island status --config /etc/ftpgw",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askIsland(cmd, env, to, "GET", "/v1/island", nil, asJSON)
		},
	}
	to.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// askIsland sends one request about the island and shows what it is then.
func askIsland(cmd *cobra.Command, env environment, to gatewayFlags, method, path string, body any, asJSON bool) error {
	client, err := to.client()
	if err != nil {
		return err
	}
	defer client.Close()
	var s islandStatus
	if err := client.Ask(cmd.Context(), method, path, body, &s, nil); err != nil {
		return askError(err)
	}
	if asJSON {
		return json.NewEncoder(env.stdout).Encode(s)
	}
	_, err = fmt.Fprintln(env.stdout, strings.Join(s.lines(), "\n"))
	return err
}

// lines is the island for people.
func (s islandStatus) lines() []string {
	if !s.On {
		return []string{"island: off"}
	}
	state := "on, nothing crosses"
	if !s.Complete {
		state = "on, the last of what crosses is waited for"
	}
	by := strings.Join(s.By, " and ")
	if s.UID != nil {
		by += fmt.Sprintf(" (uid %d)", *s.UID)
	}
	list := []string{"island: " + state, "  since  " + s.Since.UTC().Format(time.RFC3339), "  by     " + by}
	if s.Reason != "" {
		list = append(list, "  why    "+s.Reason)
	}
	if s.Mode == "spool" {
		return append(list, "  device uploads wait in the spool")
	}
	return append(list, "  devices get 421")
}
