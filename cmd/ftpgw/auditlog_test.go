// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// The signing key is made in the state directory, one that lies in the log's from earlier is used there with a hint until it is
// moved, and the line of checkpoints goes on through all of it.
func TestSigningKeyPlace(t *testing.T) {
	dir := t.TempDir()
	cfg := &config.Config{Audit: config.Audit{Dir: filepath.Join(dir, "audit")}, Gateway: config.Gateway{StateDir: filepath.Join(dir, "state")}}
	if err := os.Mkdir(cfg.Gateway.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	here, before := filepath.Join(cfg.Gateway.StateDir, "checkpoint.key"), filepath.Join(cfg.Audit.Dir, "checkpoint.key")
	run := func(place string, hints int) {
		t.Helper()
		var operator strings.Builder
		log, err := openAudit(cfg, slog.New(slog.NewTextHandler(&operator, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Record(t.Context(), audit.Record{Event: audit.GatewayStart}); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		for _, file := range []string{here, before} {
			if _, err := os.Stat(file); (err == nil) != (file == place) {
				t.Errorf("%s: %v", file, err)
			}
		}
		if n := strings.Count(operator.String(), "signing key lies in the directory of the audit log"); n != hints {
			t.Errorf("%d hints, want %d:\n%s", n, hints, operator.String())
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	run(here, 0)
	move(here, before) // as an earlier version had it
	run(before, 1)
	move(before, here)
	run(here, 0)
	v, err := audit.Verify(t.Context(), cfg.Audit.Dir, audit.VerifyOptions{})
	if err != nil || v.Checkpoints != 3 || v.Covered != v.Last {
		t.Errorf("%+v, %v", v, err)
	}
	cfg.Audit.SigningKey = filepath.Join(dir, "elsewhere")
	move(here, cfg.Audit.SigningKey)
	run("", 0)
	cfg.Audit.SigningKey = ""
	if _, err := openAudit(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("a key that is gone: %v", err)
	}
}
