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
	var argon bool
	argonCost := credential.DefaultArgon2id()
	cmd := &cobra.Command{
		Use:   "hash-password",
		Short: "Make the password_hash of a device",
		Long: `Read a password and write its hash for the configuration's password_hash: of bcrypt, or with --argon2id of argon2id (RFC 9106),
which takes memory from whoever guesses and can hold passwords longer than 72 bytes. On a terminal the password is asked
for twice and not shown; otherwise it is the one line on stdin, without its line end.`,
		Example: "  ftpgw hash-password < password.txt",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, flag := range []string{"memory", "time"} {
				if cmd.Flags().Changed(flag) && !argon {
					return withHint(fmt.Errorf("--%s has no effect without --argon2id", flag), "bcrypt has --cost")
				}
			}
			if argon && cmd.Flags().Changed("cost") {
				return withHint(errors.New("--cost has no effect with --argon2id"), "argon2id has --memory and --time")
			}
			password, err := readNewPassword(env)
			if err != nil {
				return err
			}
			var hash string
			if argon {
				hash, err = credential.HashArgon2id(password, argonCost)
			} else {
				hash, err = credential.HashWithCost(password, cost)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, hash)
			return err
		},
	}
	cmd.Flags().IntVar(&cost, "cost", credential.DefaultCost,
		fmt.Sprintf("bcrypt cost, %d to %d: each step doubles the time that a login takes", credential.MinCost, credential.MaxCost))
	cmd.Flags().BoolVar(&argon, "argon2id", false, "make a hash of argon2id instead of bcrypt")
	cmd.Flags().Uint32Var(&argonCost.Memory, "memory", argonCost.Memory,
		fmt.Sprintf("KiB that a check of an argon2id hash takes, %d to %d", credential.MinArgonMemory, credential.MaxArgonMemory))
	cmd.Flags().Uint32Var(&argonCost.Time, "time", argonCost.Time, fmt.Sprintf("passes over the memory, 1 to %d", credential.MaxArgonTime))
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
