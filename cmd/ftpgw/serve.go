// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/quota"
	"github.com/ftpgw/ftpgw/sftpback"
	"github.com/ftpgw/ftpgw/spool"
)

// newServeCommand is "ftpgw serve".
func newServeCommand(env environment) *cobra.Command {
	var path, format, level string
	cmd := &cobra.Command{
		Use:   "serve --config FILE|DIR",
		Short: "Run the gateway",
		Long: `Run the gateway. When all zones listen, one log line says "ready".

SIGTERM or SIGINT: no device is accepted any more, running transfers may finish within the configured
shutdown_grace and are aborted then, and the program ends with 0. A second signal ends it at once.
SIGHUP: the configuration is read again; rules, devices and certificates are replaced if it is valid and nothing else changed.
Sessions of devices that were removed or changed are cut; all others go on under the new rules. "ftpgw reload" does the same and
says what has come of it, "ftpgw status" shows how the gateway is doing, and "ftpgw island" cuts it off from all conduits.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			logger, err := newLogger(env.stderr, format, level)
			if err != nil {
				return err
			}
			cfg, err := loadConfig(env, path)
			if err != nil {
				return err
			}
			box, err := enterSandbox(cfg, env.stdout, logger)
			if err != nil {
				return err
			}
			out, err := openOutput(cfg.Audit, env.stdout)
			if err != nil {
				return err
			}
			if out != nil {
				defer func() { err = errors.Join(err, out.Close()) }()
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal has its usual effect
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			return serve(ctx, cfg, logger, hooks{
				stdout: out,
				reload: hup,
				load:   func() (*config.Config, error) { return loadQuietly(env, path) },
				ready:  func(*appliance) {},

				confine: box.confine, proc: os.DirFS("/proc"), manager: &manager{logger},
			})
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&format, "log-format", "text", "form of the operator log on stderr: text or json")
	cmd.Flags().StringVar(&level, "log-level", "info", "what the operator log shows: debug, info, warn or error")
	return cmd
}

// newLogger makes the operator log.
func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}

// loadQuietly reads the configuration with its diagnostics in the error: beside a running log, text on stderr belongs to no record.
func loadQuietly(env environment, path string) (*config.Config, error) {
	var diagnostics strings.Builder
	env.stderr, env.terminal, env.width = &diagnostics, false, 0
	cfg, err := loadConfig(env, path)
	if err != nil && diagnostics.Len() > 0 {
		err = fmt.Errorf("%w:\n%s", err, diagnostics.String())
	}
	return cfg, err
}

func addressWords(addrs []net.Addr) (words []string) {
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return words
}

// hooks are what serve's callers differ in.
type hooks struct {
	stdout io.Writer // for a sink of that name
	reload <-chan os.Signal
	load   func() (*config.Config, error)
	ready  func(*appliance)                        // called once, when all zones listen
	record func(gateway.Recorder) gateway.Recorder // where not nil, what stands between the devices and the log

	// What a process that is nothing but a gateway has: something that confines it, /proc to see whether the machine forwards packets, and
	// a service manager. Elsewhere they are nil.
	confine func(*config.Config, *slog.Logger) (report string, err error)
	proc    fs.FS
	manager *manager
}

// appliance is a gateway with all its parts, wired together.
type appliance struct {
	cfg      *config.Config       // in force; guarded by reloading once the gateway runs
	keys     map[string]keyDigest // of cfg at the start
	zones    []ftpfront.Zone      // with the certificates in force; guarded like cfg
	started  time.Time
	inForce  atomic.Pointer[inForce] // cfg, for who only looks
	logger   *slog.Logger
	log      *audit.Log
	bound    *zoneRecorder    // log, as devices of each zone are bound to it
	recorder gateway.Recorder // bound, or what stands in front of it
	conduits map[string]*sftpback.Conduit
	first    map[string]<-chan struct{} // closed when the conduit is up for the first time
	spool    *spool.Spool               // nil without one
	quota    *quota.Store
	ups      ups
	gateway  *gateway.Gateway
	front    *ftpfront.Front
	island   *island

	reloading sync.Mutex // one reload at a time
}

// serve runs a gateway until ctx ends and all devices are gone.
func serve(ctx context.Context, cfg *config.Config, logger *slog.Logger, h hooks) (err error) {
	if err := makeSpoolDir(cfg.Spool); err != nil {
		return err
	}
	state, err := openStateDir(cfg.Gateway.StateDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	log, err := openAudit(cfg, logger)
	if err != nil {
		return err
	}
	socket, err := control.Listen(ctx, control.Options{Path: cfg.Gateway.Control, Log: log, Logger: logger})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	defer func() { err = errors.Join(err, socket.Close()) }()
	limitMemory(cfg.Limits, logger) // reads the cgroup, which the sandbox hides
	defer runtime.KeepAlive(ballast())
	confined, err := h.confined(cfg, logger)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	sinks, err := startSinks(ctx, cfg.Audit, log, h.stdout, logger)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	defer func() { err = errors.Join(err, sinks.close()) }()
	counts, err := openQuota(cfg, log, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counts.Close()) }()
	a := &appliance{cfg: cfg, started: time.Now(), logger: logger, log: log, quota: counts, bound: newZoneRecorder(log, cfg.Zones, logger)}
	a.inForce.Store(&inForce{cfg: cfg, since: a.started})
	a.recorder = a.bound
	if h.record != nil {
		a.recorder = h.record(a.bound)
	}
	if a.keys, err = keyDigests(cfg); err != nil {
		return err
	}
	if a.spool, err = openSpool(cfg.Spool, logger); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSpool(a.spool)) }()
	if err := a.assemble(); err != nil {
		return err
	}
	if err := a.recordStart(ctx, confined); err != nil {
		return err
	}
	return a.work(ctx, socket, h)
}

// work opens the gateway to conduits, devices and operators until ctx ends and all devices are gone.
func (a *appliance) work(ctx context.Context, socket *control.Server, h hooks) (err error) {
	a.openIsland()
	if err := a.island.begin(ctx); err != nil {
		return err
	}
	watchForwarding, err := a.startForwarding(h.proc)
	if err != nil {
		return err
	}
	grace := a.cfg.Gateway.ShutdownGrace
	// The conduits outlive the devices: a transfer that finishes within the grace needs them to the end.
	back, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	told := a.bound.count()
	defer func() { // the end of the gateway is the last that is put on record
		stop()
		running.Wait()
		told()
		err = errors.Join(err, a.log.Record(context.WithoutCancel(ctx), audit.Record{Event: audit.GatewayStop}))
		a.logger.Info("stopped")
	}()
	a.runConduits(back, &running)
	if err := a.front.Listen(ctx); err != nil {
		return withListenHint(err)
	}
	running.Go(func() { a.announce(ctx, h) })
	running.Go(func() { a.forward(back) })
	running.Go(func() { a.serveOperators(back, socket, h) })
	running.Go(func() { a.watch(back, h) })
	running.Go(func() { a.watchClock(back) })
	running.Go(func() { watchForwarding(back) })
	running.Go(func() { h.manager.watchdog(back, a.alive) })
	running.Go(func() { h.manager.awaitStop(ctx, back, grace) })
	return a.front.Serve(ctx, grace)
}

// announce says that the gateway is ready. Devices are greeted before, while the conduits are still being connected: what they ask of a
// conduit waits for that.
func (a *appliance) announce(ctx context.Context, h hooks) {
	a.awaitConduits(ctx)
	if ctx.Err() == nil {
		a.sayReady(h)
	}
	h.ready(a)
}

// sayReady tells the operator and the service manager. The configuration may have been reloaded meanwhile; while it is, neither is told:
// the manager would take that for the end of the reload, and its last word would be about what was there before.
func (a *appliance) sayReady(h hooks) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.logger.Info("ready", "version", version(), "zones", addressWords(a.front.Addresses()), "conduits", len(a.cfg.Conduits),
		"devices", len(a.cfg.Devices), "island", a.gateway.Isolated())
	h.manager.ready(a.statusLine())
}

// recordStart puts on record what this run begins with.
func (a *appliance) recordStart(ctx context.Context, confined string) error {
	detail := map[string]string{"version": version()}
	if confined != "" {
		detail["sandbox"] = confined
	}
	if err := a.log.Note(audit.Record{Event: audit.GatewayStart, Detail: detail}); err != nil {
		return err
	}
	if err := a.log.Record(ctx, audit.Record{Event: audit.ConfigLoaded, Detail: map[string]string{"digest": a.cfg.Digest}}); err != nil {
		return err
	}
	return a.recordSpool(ctx)
}
