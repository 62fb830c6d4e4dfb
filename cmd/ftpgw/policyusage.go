// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// usage is what an audit log says about rules.
type usage struct {
	records     int
	first, last time.Time // of the records
	idle        []string  // rules that decided nothing
}

// lines are the usage in words.
func (u *usage) lines() []string {
	if u.records == 0 {
		return []string{"the audit log holds no record"}
	}
	between := fmt.Sprintf("between %s and %s (%d records)", u.first.Format(time.RFC3339), u.last.Format(time.RFC3339), u.records)
	if len(u.idle) == 0 {
		return []string{"every rule was used " + between}
	}
	var lines []string
	for _, name := range u.idle {
		lines = append(lines, fmt.Sprintf("rule %q was never used %s", name, between))
	}
	return lines
}

// readUsage reads all of an audit log, its finished files too. It does not verify the log: that is another command's matter.
func readUsage(dir string, rules []policy.Rule) (*usage, error) {
	segments, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl*"))
	if err != nil || len(segments) == 0 {
		return nil, errors.Join(err, fmt.Errorf("--audit: the directory %s holds no audit log", dir))
	}
	u := &usage{}
	used := map[string]bool{}
	for r, err := range audit.Read(dir) {
		if err != nil {
			return nil, fmt.Errorf("--audit: %w", err)
		}
		if u.records++; u.first.IsZero() {
			u.first = r.Time
		}
		u.last = r.Time
		if r.TransferFields != nil {
			used[r.Rule] = true
		}
	}
	for _, name := range ruleNames(rules) {
		if !used[name] {
			u.idle = append(u.idle, name)
		}
	}
	return u, nil
}
