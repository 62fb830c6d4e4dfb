// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/audit/forward"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/confine"
)

// sandboxOff is what is said where the configuration wants no sandbox.
const sandboxOff = "not confined: the configuration says so"

// sandbox confines this process.
type sandbox struct {
	begun    bool // with the first instruction of this program, to what report says
	report   confine.Report
	released chan error // of the mark
}

// enterSandbox starts this program anew in its place, confined from the beginning, where that is the fastest way to be confined. It
// returns where it is not, and in a program that was started so, which it checks. It comes before anything is said or opened that the
// new program would say or open a second time.
func enterSandbox(cfg *config.Config, stdout io.Writer, logger *slog.Logger) (*sandbox, error) {
	mark, marked, err := confine.TakeMark()
	if err != nil {
		return nil, err
	}
	rules := confine.For(cfg, os.Getenv("NOTIFY_SOCKET"))
	if marked {
		return verifySandbox(cfg, mark, rules)
	}
	if cfg.Gateway.Sandbox != config.SandboxOff {
		err := startsInside(cfg, stdout)
		if err == nil {
			err = makeDirs(cfg)
		}
		if err == nil {
			err = confine.Restart(rules)
		}
		// What is wrong with more than this way of being confined comes up again on the other one.
		logger.Debug("the running process will be confined", "because", err)
	}
	return &sandbox{}, nil
}

// verifySandbox is for a program that was started in its sandbox: whatever is not as it must be ends it, since it cannot get out.
func verifySandbox(cfg *config.Config, mark confine.Mark, rules confine.Rules) (*sandbox, error) {
	s := &sandbox{begun: true, released: make(chan error, 1)}
	go func() { s.released <- mark.Release() }()
	var err error
	s.report, err = mark.Verify(rules)
	if err == nil && cfg.Gateway.Sandbox == config.SandboxOff {
		err = confine.ErrChanged
	}
	switch {
	case errors.Is(err, confine.ErrChanged):
		return nil, withHint(err, "start it once more")
	case errors.Is(err, confine.ErrUnconfined):
		return nil, withHint(err, "take that variable away: only the gateway itself sets it")
	case err != nil:
		return nil, err
	}
	return s, nil
}

// startsInside tells what a start does that the sandbox does not let it do, so that it must not begin in there.
func startsInside(cfg *config.Config, stdout io.Writer) error {
	if filepath.Dir(cfg.Gateway.Control) != cfg.Gateway.StateDir {
		return errors.New("the control socket is not in the state directory")
	}
	if key := cfg.Audit.SigningKey; key != "" {
		if _, err := os.Stat(key); err != nil {
			return fmt.Errorf("the signing key may have to be made: %w", err)
		}
	}
	for _, dir := range []string{cfg.Gateway.StateDir, cfg.Audit.Dir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if e.Type() == fs.ModeSymlink {
				return fmt.Errorf("%s may lead elsewhere", filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, s := range cfg.Audit.Sinks {
		if s.Type == config.SinkStdout && forward.Reopens(stdout) {
			return fmt.Errorf("sink %q opens the standard output once more", s.Name)
		}
	}
	return nil
}

// makeDirs makes the directories that the process will be confined to.
func makeDirs(cfg *config.Config) error {
	return errors.Join(makeSpoolDir(cfg.Spool), makeStateDir(cfg.Gateway.StateDir), audit.MakeDir(cfg.Audit.Dir))
}

// confine gives up what this process does not need, and says what the kernel keeps it to from now on. It comes before the first
// byte from outside is read, and behind the making of the directories that rules are about. There is no way back.
func (s *sandbox) confine(cfg *config.Config, logger *slog.Logger) (string, error) {
	if err := confine.Harden(); err != nil {
		return "", err
	}
	if cfg.Gateway.Sandbox == config.SandboxOff {
		logger.Warn(sandboxOff)
		return sandboxOff, nil
	}
	report, err := s.apply(cfg)
	if err != nil {
		if errors.Is(err, confine.ErrUnsupported) {
			return "", withHint(err, `gateway { sandbox = "best-effort" } starts on such a machine, too`)
		}
		return "", err
	}
	if report.ABI == 0 {
		logger.Warn(report.String())
	} else {
		logger.Info("confined", "by", report.String())
	}
	return report.String(), nil
}

func (s *sandbox) apply(cfg *config.Config) (confine.Report, error) {
	if s.begun {
		return s.report, <-s.released
	}
	_, _ = time.Now().Zone() // reads /etc/localtime, once
	return confine.Apply(confine.For(cfg, os.Getenv("NOTIFY_SOCKET")), cfg.Gateway.Sandbox == config.SandboxRequired)
}

// confined confines the process, unless it is something else besides a gateway.
func (h hooks) confined(cfg *config.Config, logger *slog.Logger) (string, error) {
	if h.confine == nil {
		return "", nil
	}
	return h.confine(cfg, logger)
}

// explainDenied adds what the sandbox may have to do with a configuration that cannot be read again.
func explainDenied(err error) error {
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		return err
	}
	return errors.Join(err, errors.New("a running gateway can read only the directories that its configuration named at the start: others take a restart"))
}

// warnOfOpenZones tells of zones that anybody can reach, by whichever interface.
func warnOfOpenZones(logger *slog.Logger, zones []config.Zone) {
	for _, z := range zones {
		if z.Listen.Addr().IsUnspecified() && z.Interface == "" {
			logger.Warn("a zone listens at all addresses of this machine, those towards conduits and other zones included", "zone", z.Name)
		}
	}
}
