// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// auditOptions are those of the configuration. What happens to the log itself goes to the operator log as well.
func auditOptions(cfg *config.Config, logger *slog.Logger) audit.Options {
	c := cfg.Audit
	return audit.Options{
		Key: c.SigningKey, CheckpointInterval: c.CheckpointInterval,
		SegmentSize: c.SegmentSize, SegmentAge: c.SegmentAge, Retention: c.Retention,
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
