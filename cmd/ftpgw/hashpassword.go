// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/internal/credential"
)

// newHashPasswordCommand is "ftpgw hash-password".
func newHashPasswordCommand(env environment) *cobra.Command {
	var cost int
	cmd := &cobra.Command{
		Use:   "hash-password",
		Short: "Make the password_hash of a device",
		Long: `Read a password and write its bcrypt hash for the configuration's password_hash. On a terminal the password is asked
for twice and not shown; otherwise it is the one line on stdin, without its line end.`,
		Example: "  ftpgw hash-password < password.txt",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			password, err := readNewPassword(env)
			if err != nil {
				return err
			}
			hash, err := credential.HashWithCost(password, cost)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, hash)
			return err
		},
	}
	cmd.Flags().IntVar(&cost, "cost", credential.DefaultCost,
		fmt.Sprintf("bcrypt cost, %d to %d: each step doubles the time that a login takes", credential.MinCost, credential.MaxCost))
	return cmd
}

func readNewPassword(env environment) ([]byte, error) {
	if env.readPassword == nil {
		return readPasswordLine(env.stdin)
	}
	first, err := env.readPassword("Password: ")
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	second, err := env.readPassword("Once more: ")
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passwords differ")
	}
	return first, nil
}

// readPasswordLine reads a password that is alone on its line and alone in its input. A second line is refused, since it would
// silently not be part of the password.
func readPasswordLine(r io.Reader) ([]byte, error) {
	const most = 4096 // far above what bcrypt takes, which has an error of its own
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if len(rest) > 0 {
		return nil, errors.New("there is more than one line on stdin; the password is one line")
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}
