// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"path/filepath"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/quota"
)

// quotaDir is where the counts of limits are kept.
func quotaDir(cfg *config.Config) string { return filepath.Join(cfg.Gateway.StateDir, "quota") }

// openQuota opens the counts of limits. What of them was damaged is an alarm, and on record: devices may move more than they should
// until a day has passed.
func openQuota(cfg *config.Config, log *audit.Log, logger *slog.Logger) (*quota.Store, error) {
	dir := quotaDir(cfg)
	store, report, err := quota.Open(dir, quota.Options{OnTrouble: func(err error) {
		if err != nil {
			logger.Error("ALARM: the counts of limits cannot be written, and transfers that are limited are refused", "dir", dir, "error", err)
			return
		}
		logger.Info("the counts of limits are written again", "dir", dir)
	}})
	if err != nil {
		return nil, withHint(err, "see docs/policy.md, \"How much\"")
	}
	switch {
	case report.Torn:
		logger.Info("the counts of limits ended in a torn frame, which nobody was told is there", "dir", dir)
	case report.Damaged != nil:
		logger.Error("ALARM: the counts of limits were damaged; what could be read counts, a copy is kept as journal.damaged", "dir", dir, "error", report.Damaged)
		if err := log.Note(audit.Record{Event: audit.LimitDamaged, Cause: report.Damaged.Error()}); err != nil {
			logger.Error("the damage is not on record", "error", err)
		}
	}
	return store, nil
}
