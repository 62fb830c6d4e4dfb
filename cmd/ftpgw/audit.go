// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// newAuditCommand is "ftpgw audit", under which stands all that is done with an audit log besides writing it.
func newAuditCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify, prove and read the audit log",
		Long: `Verify, prove and read the audit log. All of it works on a copy of the log's directory, too, without the gateway and
without its configuration.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newAuditVerifyCommand(env),
		newAuditShowCommand(env),
		newAuditTraceCommand(env),
		newAuditReportCommand(env),
		newAuditProveCommand(env),
		newAuditCheckProofCommand(env),
	)
	return cmd
}

// auditDir is the flag that names the log.
type auditDir struct{ dir string }

func (a *auditDir) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.dir, "dir", "", "the directory of the audit log, or of a copy (required)")
}

// check says what is wrong with the directory before anything else can: a log that is not there is not an empty one.
func (a *auditDir) check() error {
	if a.dir == "" {
		return withHint(errors.New("--dir is required"), "name the directory of an audit log: --dir /var/lib/ftpgw/audit")
	}
	info, err := os.Stat(a.dir)
	if err != nil {
		return fmt.Errorf("the audit log: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the audit log: %s is not a directory", a.dir)
	}
	return nil
}

// readFlagFile reads the file that a flag names; nothing where the flag is not given.
func readFlagFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}
