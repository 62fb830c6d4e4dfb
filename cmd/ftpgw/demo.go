// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
)

// newDemoCommand is "ftpgw demo".
func newDemoCommand(env environment) *cobra.Command {
	var once bool
	var dir string
	cmd := &cobra.Command{
		Use:   "demo [--once] [--dir DIR]",
		Short: "Show the whole path on this machine, without any set-up",
		Long: `Start an SFTP server, a gateway in front of it and a few devices, all on loopback and with fresh keys; relay a
disturbance record and a firmware image, fetch one back, try something forbidden, and show the evidence: replies, decisions,
digests on both sides, audit records. Then serve until Ctrl-C, and show live what happens.`,
		Example: "  ftpgw demo --once",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			if dir == "" {
				temporary, err := os.MkdirTemp("", "ftpgw-demo-")
				if err != nil {
					return fmt.Errorf("make a directory for the demo: %w", err)
				}
				defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
				dir = temporary
			}
			return runDemo(ctx, env, dir, once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "exit when the evidence has been shown")
	cmd.Flags().StringVar(&dir, "dir", "", "where everything is kept (default: a temporary directory that is removed at the end)")
	return cmd
}

// runDemo sets the scene, runs the gateway in it, and plays while the gateway serves.
func runDemo(ctx context.Context, env environment, dir string, once bool) (err error) {
	world, err := newDemoWorld(ctx, env, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.server.Close()) }()
	logger, err := newLogger(env.stderr, "text", "warn")
	if err != nil {
		return err
	}
	ctx, finish := context.WithCancelCause(ctx)
	defer finish(nil)
	played := make(chan error, 1) // the play's outcome, once it has begun
	live := &liveView{w: env.stdout}
	err = serve(ctx, world.cfg, logger, hooks{
		record: func(r gateway.Recorder) gateway.Recorder { return &watchedLog{r, live.show} },
		ready: func(a *appliance) {
			go func() {
				perr := world.play(ctx, &demoPlay{w: env.stdout, addr: a.front.Addresses()[0].String()})
				if perr == nil && !once {
					world.invite(env.stdout, a.front.Addresses()[0].String())
					live.start()
				} else {
					finish(nil)
				}
				played <- perr
			}()
		},
	})
	if err != nil {
		return err
	}
	return <-played // serve has returned nil, so it was ready and the play has begun
}

// say writes a line of the demo; an error leaves nobody to tell.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }

// interesting reports whether a record says something to a person who watches.
func interesting(r audit.Record) bool {
	switch r.Event {
	case audit.ConduitUp, audit.ConduitDown, audit.SessionOpen, audit.SessionClose, audit.GatewayStart, audit.ConfigLoaded:
		return false
	}
	return true
}
