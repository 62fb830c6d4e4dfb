// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/control"
)

// newReloadCommand is "ftpgw reload".
func newReloadCommand(env environment) *cobra.Command {
	var to gatewayFlags
	cmd := &cobra.Command{
		Use:   "reload --config FILE|DIR",
		Short: "Have the running gateway read its configuration again",
		Long: `Have the running gateway read its configuration again, as SIGHUP does, and say what has come of it: what changed, with the
digests before and after, or everything that is wrong. What is wrong changes nothing: the old configuration stays in force.
Exits with 0 when the new configuration is in force, with 1 otherwise.`,
		Example: "  ftpgw reload --config /etc/ftpgw",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := to.client()
			if err != nil {
				return err
			}
			defer client.Close()
			var out reloaded
			err = client.Ask(cmd.Context(), "POST", "/v1/reload", nil, &out, nil)
			if refused := (*control.Error)(nil); errors.As(err, &refused) {
				if _, werr := fmt.Fprint(env.stderr, refused.Detail); werr != nil {
					return errors.Join(err, werr)
				}
				return fmt.Errorf("the old configuration stays in force: %w", err)
			}
			if err != nil {
				return askError(err)
			}
			_, err = fmt.Fprint(env.stdout, out.text())
			return err
		},
	}
	to.add(cmd)
	return cmd
}

func (r reloaded) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "in force: %s, %s; digest %s\n", count(r.Devices, "device"), count(r.Rules, "rule"), r.Digest)
	if r.Digest != r.Before {
		fmt.Fprintf(&b, "before:   digest %s\n", r.Before)
	}
	for _, c := range r.Changed {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if len(r.Changed) == 0 {
		b.WriteString("  nothing changed\n")
	}
	if r.Cut > 0 {
		fmt.Fprintf(&b, "  %s of devices that are gone or changed: cut\n", count(r.Cut, "session"))
	}
	return b.String()
}
