// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/sftpback"
)

// newCheckCommand is "ftpgw check".
func newCheckCommand(env environment) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE|DIR",
		Short: "Say everything that is wrong with a configuration",
		Long: `Read a configuration as serve would, keys and host keys included, and say everything that is wrong with it.
Nothing is dialled and nothing is written. Exits with 0 when it is valid, with 1 otherwise.`,
		Example: "  ftpgw check --config /etc/ftpgw",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(env, path)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "%s is valid: %s, %s, %s, %s; digest %s\n", path,
				count(len(cfg.Zones), "zone"), count(len(cfg.Conduits), "conduit"), count(len(cfg.Devices), "device"),
				count(len(cfg.Policy.Rules()), "rule"), cfg.Digest)
			return err
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// addConfigFlag gives a command the flag --config, with completion. That it is there is checked by loadConfig.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "config", "", "the configuration: a file, or a directory of *.hcl files (required)")
}

// checks are those of the packages that will use what they check.
func checks(env environment) config.Checks {
	return config.Checks{
		Identity:   sftpback.CheckIdentity,
		HostKey:    sftpback.CheckHostKey,
		KnownHosts: sftpback.CheckKnownHosts,
		Certificate: func(certificate, privateKey string) error {
			return ftpfront.CheckCertificate(certificate, privateKey, env.now())
		},
		ClientCA:     ftpfront.CheckClientCA,
		AgeRecipient: checkAgeRecipient,
		AgeIdentity:  checkAgeIdentity,
	}
}

// loadConfig reads the configuration. Every diagnostic is written to stderr, and the error sums them up in a line.
func loadConfig(env environment, path string) (*config.Config, error) {
	if path == "" {
		return nil, withHint(errors.New("--config is required"), "name a configuration: --config /etc/ftpgw or --config substation.hcl")
	}
	cfg, err := config.Load(path, checks(env))
	if de := (*config.DiagnosticsError)(nil); errors.As(err, &de) {
		if werr := de.WriteText(env.stderr, env.width, env.color()); werr != nil {
			return nil, errors.Join(err, werr)
		}
	}
	return cfg, err
}
