// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// auditOptions are those of the configuration. What happens to the log itself goes to the operator log as well.
func auditOptions(cfg *config.Config, logger *slog.Logger) audit.Options {
	c := cfg.Audit
	return audit.Options{
		CheckpointInterval: c.CheckpointInterval,
		SegmentSize:        c.SegmentSize, SegmentAge: c.SegmentAge, Retention: c.Retention,
		SpaceWarning: c.SpaceWarning,
		OnSpace: func(low bool, free int64) {
			if low {
				logger.Warn("the space of the audit log is low", "dir", c.Dir, "free", free, "warning", c.SpaceWarning)
				return
			}
			logger.Info("the audit log has space again", "dir", c.Dir, "free", free)
		},
		OnFailure: func(err error) {
			if err != nil {
				logger.Error("ALARM: the audit log cannot be written; it is tried again and again",
					"error", err, "refusing", zoneNames(cfg.Zones, config.OnFailureStop), "continuing_unrecorded", zoneNames(cfg.Zones, config.OnFailureContinue))
				return
			}
			logger.Warn("the audit log is written again", "dir", c.Dir)
		},
	}
}

// keyFile is the name of the key that signs checkpoints, where the configuration does not say another.
const keyFile = "checkpoint.key"

// openAudit opens the audit log.
func openAudit(cfg *config.Config, logger *slog.Logger) (*audit.Log, error) {
	opts := auditOptions(cfg, logger)
	var err error
	if opts.Key, err = signingKey(cfg, logger); err != nil {
		return nil, err
	}
	log, err := audit.Open(cfg.Audit.Dir, opts)
	if errors.Is(err, audit.ErrLocked) {
		err = withHint(err, `another gateway writes it: end that one, or give each its own: audit { dir = "..." }`)
	}
	return log, err
}

// signingKey is the file of the key. Where that lies in the directory of the log the operator is asked to move it.
func signingKey(cfg *config.Config, logger *slog.Logger) (string, error) {
	file, old, err := findSigningKey(cfg)
	if old {
		logger.Warn("the signing key lies in the directory of the audit log, where every copy of the log takes it along; move it while the gateway is stopped",
			"from", file, "to", filepath.Join(cfg.Gateway.StateDir, keyFile))
	}
	return file, err
}

// findSigningKey is the file of the key, which may have to be made. Earlier versions kept it beside the log, so that whoever copied the log
// had the key as well: there it is used where it is, since another key would end the line of checkpoints.
func findSigningKey(cfg *config.Config) (file string, old bool, err error) {
	if cfg.Audit.SigningKey != "" {
		return cfg.Audit.SigningKey, false, nil
	}
	here, before := filepath.Join(cfg.Gateway.StateDir, keyFile), filepath.Join(cfg.Audit.Dir, keyFile)
	if _, err := os.Lstat(here); !errors.Is(err, fs.ErrNotExist) {
		return here, false, nil // what is wrong with it is said when it is read
	}
	switch _, err := os.Lstat(before); {
	case errors.Is(err, fs.ErrNotExist):
		return here, false, nil
	case err != nil:
		return "", false, fmt.Errorf("look for the signing key: %w", err)
	}
	return before, true, nil
}

// zoneNames are those of the zones that do this when the log fails.
func zoneNames(zones []config.Zone, onFailure string) []string {
	var names []string
	for _, z := range zones {
		if z.OnFailure == onFailure {
			names = append(names, z.Name)
		}
	}
	return names
}
