// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/internal/config"
)

// routes are all that an operator can ask the running gateway.
func (a *appliance) routes(h hooks) []control.Route {
	return slices.Concat(a.reloadRoutes(h), a.islandRoutes(), a.statusRoutes(), a.spoolRoutes())
}

// serveOperators answers operators until ctx ends. A socket that fails does not end the gateway: its work goes on.
func (a *appliance) serveOperators(ctx context.Context, socket *control.Server, h hooks) {
	if err := socket.Serve(ctx, a.routes(h)...); err != nil {
		a.logger.Error("the control socket has failed: status, reload and island are out of reach until a restart", "error", err)
	}
}

func (a *appliance) reloadRoutes(h hooks) []control.Route {
	return []control.Route{{Pattern: "POST /v1/reload", Change: true, Handle: func(ctx context.Context, r *control.Request) (any, error) {
		out, err := a.reload(context.WithoutCancel(ctx), h, r.Peer.Detail())
		if err != nil {
			first, detail, _ := strings.Cut(err.Error(), "\n")
			return nil, &control.Error{Status: http.StatusUnprocessableEntity, Message: strings.TrimSuffix(first, ":"), Detail: detail}
		}
		return out, nil
	}}}
}

// maxReason bounds the reason that an operator gives, in bytes.
const maxReason = 500

// checkReason refuses a reason that does not fit into a record.
func checkReason(text string) error {
	if len(text) > maxReason || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return &control.Error{Status: http.StatusBadRequest, Message: "a reason is one line of 500 bytes at most"}
	}
	return nil
}

func (a *appliance) islandRoutes() []control.Route {
	turn := func(on bool) func(context.Context, *control.Request) (any, error) {
		return func(ctx context.Context, r *control.Request) (any, error) {
			var ask struct {
				Reason string `json:"reason"`
			}
			if err := r.Decode(&ask); err != nil {
				return nil, err
			}
			if err := checkReason(ask.Reason); err != nil {
				return nil, err
			}
			return a.island.turn(ctx, on, ask.Reason, r.Peer)
		}
	}
	return []control.Route{
		{Pattern: "GET /v1/island", Handle: func(context.Context, *control.Request) (any, error) { return a.island.status(), nil }},
		{Pattern: "POST /v1/island/on", Change: true, Safe: true, Handle: turn(true)},
		{Pattern: "POST /v1/island/off", Change: true, Handle: turn(false)},
	}
}

// gatewayFlags lead a command to the running gateway.
type gatewayFlags struct{ config, socket string }

func (f *gatewayFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "the configuration of the gateway, which tells where its control socket is")
	cmd.Flags().StringVar(&f.socket, "socket", "", "the control socket itself, instead of --config")
}

// client finds the gateway. The client must be closed.
func (f *gatewayFlags) client() (*control.Client, error) {
	switch {
	case f.socket != "":
		return control.NewClient(f.socket), nil
	case f.config == "":
		return nil, withHint(errors.New("--config or --socket is required"), "name the configuration of the running gateway: --config /etc/ftpgw")
	}
	socket, err := config.ControlSocket(f.config)
	if err != nil {
		return nil, withHint(err, "name the socket itself with --socket")
	}
	return control.NewClient(socket), nil
}

// askError gives an error of the client a line about what to do.
func askError(err error) error {
	switch {
	case errors.Is(err, control.ErrNoGateway):
		return withHint(err, `is it running? Where its configuration was moved or changed since it started, name the socket with --socket`)
	case errors.Is(err, control.ErrNotAllowed):
		return withHint(err, "use sudo")
	}
	return err
}
