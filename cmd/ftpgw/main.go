// SPDX-License-Identifier: Apache-2.0

// Command ftpgw relays files between legacy devices that speak FTP in one network zone and SFTP servers across a conduit. Each
// sub-command has a file of its own; serve.go is where the packages are wired together.
//
// It exits with 0 when it has done what it was asked, with 2 when the answer is no (a denied case of explain, an audit log that is
// not intact), and with 1 when something is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // time zones of rules, on appliances without a zone database

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func main() {
	os.Exit(run(context.Background(), processEnvironment(), os.Args[1:]))
}

// environment is what the commands see of the world around them, so that tests can give them another.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	// readPassword shows a prompt and reads a line without echo. It is nil where stdin is no terminal.
	readPassword func(prompt string) ([]byte, error)
	terminal     bool // whether stderr is a terminal
	width        int  // its columns, 0 where they are not known
}

// color reports whether stderr takes escape sequences, and the user does (https://no-color.org).
func (env environment) color() bool {
	return env.terminal && env.getenv("NO_COLOR") == "" && env.getenv("TERM") != "dumb"
}

func processEnvironment() environment {
	env := environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		env.readPassword = func(prompt string) ([]byte, error) {
			if _, err := fmt.Fprint(os.Stderr, prompt); err != nil {
				return nil, fmt.Errorf("write the prompt: %w", err)
			}
			password, err := term.ReadPassword(fd)
			// The line end that the user typed was not echoed either.
			_, _ = fmt.Fprintln(os.Stderr)
			return password, err
		}
	}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) {
		env.terminal = true
		if width, _, err := term.GetSize(fd); err == nil {
			env.width = width
		}
	}
	return env
}

// run executes a command line and returns the exit status.
func run(ctx context.Context, env environment, args []string) int {
	root := newRootCommand(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if status := (*statusError)(nil); errors.As(err, &status) {
		return status.code
	}
	report(env.stderr, root, args, err)
	return 1
}

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "ftpgw",
		Short: "A gateway from FTP devices in one zone to SFTP servers across a conduit",
		Long: `ftpgw relays files at a network zone boundary. Legacy devices speak FTP to it; it speaks SFTP to a server across the
conduit. A policy decides about every file, every decision and transfer is on record, and a device is told that a
transfer is complete only when its file is durable where its rule says: on the other side, or in the spool on the way there.`,
		Version:            version(),
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true, // report says them, in a line of its own
	}
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetVersionTemplate("ftpgw {{.Version}}\n")
	root.AddCommand(
		newServeCommand(env),
		newStatusCommand(env),
		newReloadCommand(env),
		newIslandCommand(env),
		newCheckCommand(env),
		newExplainCommand(env),
		newPolicyCommand(env),
		newSpoolCommand(env),
		newAuditCommand(env),
		newHashPasswordCommand(env),
		newDemoCommand(env),
		newVersionCommand(env),
	)
	return root
}

// statusError ends the program with a status and without a message: everything has been said.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// hintError is an error with a line about what to do.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// withHint gives an error a line about what to do.
func withHint(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// report tells the user what went wrong, and what may help where that is known. An error of w leaves nobody to tell.
func report(w io.Writer, root *cobra.Command, args []string, err error) {
	_, _ = fmt.Fprintf(w, "ftpgw: %v\n", err)
	if hint := hintFor(root, args, err); hint != "" {
		_, _ = fmt.Fprintf(w, "ftpgw: hint: %s\n", hint)
	}
}

func hintFor(root *cobra.Command, args []string, err error) string {
	if h := (*hintError)(nil); errors.As(err, &h) {
		return h.hint
	}
	cmd, _, findErr := root.Find(args)
	if findErr != nil {
		for _, arg := range args {
			if strings.HasPrefix(arg, "-") {
				continue
			}
			// Cobra sets the distance only where it prints the suggestions itself.
			root.SuggestionsMinimumDistance = 2
			if names := root.SuggestionsFor(arg); len(names) > 0 {
				return fmt.Sprintf("did you mean %q?", names[0])
			}
			break
		}
		return `the commands are listed by "ftpgw --help"`
	}
	if text := err.Error(); strings.HasPrefix(text, "unknown flag") || strings.HasPrefix(text, "unknown shorthand") {
		if strings.HasSuffix(text, "unknown flag: --config") && strings.Contains(cmd.Use, "FILE|DIR") {
			return fmt.Sprintf("the configuration is named without a flag: %s FILE|DIR", cmd.CommandPath())
		}
		return fmt.Sprintf("the flags are listed by %q", cmd.CommandPath()+" --help")
	}
	return ""
}

// oneArgument demands one argument that is not a flag, and says what it is.
func oneArgument(what, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return withHint(fmt.Errorf("%s, one %s is needed", count(len(args), "argument"), what), "%s", hint)
		}
		return nil
	}
}

// noArguments refuses arguments that are not flags. It says what was meant where that is a configuration.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unexpected argument %q", args[0])
	if cmd.Flags().Lookup("config") != nil && !cmd.Flags().Changed("config") {
		return withHint(err, "a configuration is named with --config %s", args[0])
	}
	if cmd.HasSubCommands() {
		cmd.SuggestionsMinimumDistance = 2
		if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
			return withHint(err, "did you mean %q?", cmd.CommandPath()+" "+names[0])
		}
		return withHint(err, "the commands are listed by %q", cmd.CommandPath()+" --help")
	}
	return withHint(err, "the flags are listed by %q", cmd.CommandPath()+" --help")
}
