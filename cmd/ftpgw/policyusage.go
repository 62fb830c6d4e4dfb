// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

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

// readUsage reads all segments of an audit log. It does not verify the log: that is another command's matter.
func readUsage(dir string, rules []policy.Rule) (*usage, error) {
	segments, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl")) // sorted
	if err != nil || len(segments) == 0 {
		return nil, errors.Join(err, fmt.Errorf("--audit: the directory %s holds no audit log", dir))
	}
	u := &usage{}
	used := map[string]bool{}
	for _, name := range segments {
		if err := u.read(name, used); err != nil {
			return nil, err
		}
	}
	for _, name := range ruleNames(rules) {
		if !used[name] {
			u.idle = append(u.idle, name)
		}
	}
	return u, nil
}

// read counts one segment in.
func (u *usage) read(name string, used map[string]bool) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open audit segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what stands behind the last line end is still being written
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := u.count(line, used); err != nil {
			return fmt.Errorf("%s:%d is not an audit record: %w", name, n, err)
		}
	}
}

// count takes one line in. Lines that are no records, such as the head of a segment, say nothing about rules.
func (u *usage) count(line []byte, used map[string]bool) error {
	var r struct {
		Time  time.Time `json:"time"`
		Event string    `json:"event"`
		Rule  string    `json:"rule"`
	}
	if err := json.Unmarshal(line, &r); err != nil || r.Event == "" {
		return err
	}
	if u.records++; u.first.IsZero() {
		u.first = r.Time
	}
	u.last = r.Time
	used[r.Rule] = true
	return nil
}
