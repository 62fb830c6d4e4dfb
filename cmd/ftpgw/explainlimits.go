// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// boundUsage is one limit that binds the case that was asked about.
type boundUsage struct {
	quota.Usage
	known bool // Used is, from the state directory
	open  bool // it binds only if its rule decides
}

// readLimits says which limits bind a case, and how much of them is used according to the state directory, where there is one. The note
// says why that is not known although there should be one.
func readLimits(env environment, cfg *config.Config, d policy.Decision, device string) (list []boundUsage, note string) {
	if d.Verdict == policy.Denied {
		return nil, ""
	}
	open := d.Limits.Open
	d.Limits.Open = false // all of them are shown, and said to be open
	bounds := d.Bounds(device)
	used, report, err := quota.Read(quotaDir(cfg), env.now, bounds...)
	switch {
	case err != nil:
		note = fmt.Sprintf("what is used is not known: %v", err)
	case report.Damaged != nil:
		note = fmt.Sprintf("what is used is known in part: %v", report.Damaged)
	}
	if err != nil {
		used = quota.Unused(bounds...)
	}
	for _, u := range used {
		counted := u.Limit == policy.FilesPerHour || u.Limit == policy.BytesPerDay
		list = append(list, boundUsage{Usage: u, known: counted && err == nil && !report.Missing, open: open && u.Bound.Rule != ""})
	}
	return list, note
}

// limitWord is so much of what a limit counts.
func limitWord(l policy.Limit, n int64) string {
	switch l {
	case policy.MaxFile, policy.BytesPerDay:
		return policy.SizeText(n)
	case policy.Bandwidth:
		return policy.SizeText(n) + "/s"
	}
	return strconv.FormatInt(n, 10)
}

// String is the limit in a line.
func (b boundUsage) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s of %s: ", b.Limit, b.Bound)
	if b.known {
		fmt.Fprintf(&out, "%s of %s used", limitWord(b.Limit, b.Used), limitWord(b.Limit, b.Allowed))
	} else {
		out.WriteString(limitWord(b.Limit, b.Allowed))
	}
	if b.known && b.Used >= b.Allowed {
		fmt.Fprintf(&out, ", so that it is refused; free again in %s", b.Free.Round(time.Minute))
	}
	if b.open {
		out.WriteString(", if that rule decides")
	}
	return out.String()
}

// limitDocument is the limit for programs. Its field names are a contract.
type limitDocument struct {
	Limit   string `json:"limit"`
	Of      string `json:"of"` // the device or rule whose limit it is
	Allowed int64  `json:"allowed"`
	Used    *int64 `json:"used,omitempty"`    // absent where it is not known, or nothing is used up
	FreeIn  int64  `json:"free_in,omitempty"` // seconds until some of it is free again
	Open    bool   `json:"open,omitempty"`    // it binds only if its rule decides
}

func (b boundUsage) document() limitDocument {
	d := limitDocument{Limit: string(b.Limit), Of: b.Bound.String(), Allowed: b.Allowed, Open: b.open}
	if b.known {
		d.Used, d.FreeIn = &b.Used, int64(b.Free/time.Second)
	}
	return d
}
