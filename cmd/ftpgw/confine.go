// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/confine"
)

// sandboxOff is what is said where the configuration wants no sandbox.
const sandboxOff = "not confined: the configuration says so"

// confineProcess gives up what this process does not need, and says what the kernel keeps it to from now on. It comes before the first
// byte from outside is read, and behind the making of the directories that rules are about. There is no way back.
func confineProcess(cfg *config.Config, logger *slog.Logger) (string, error) {
	if err := confine.Harden(); err != nil {
		return "", err
	}
	if cfg.Gateway.Sandbox == config.SandboxOff {
		logger.Warn(sandboxOff)
		return sandboxOff, nil
	}
	_, _ = time.Now().Zone() // reads /etc/localtime, once
	report, err := confine.Apply(confine.For(cfg, os.Getenv("NOTIFY_SOCKET")), cfg.Gateway.Sandbox == config.SandboxRequired)
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
