// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/ftpgw/ftpgw/policy"
)

// mostLimits is how many limits people are shown.
const mostLimits = 20

// limitsStatus shows what is used of the limits. People see those of which something is, programs all.
func (a *appliance) limitsStatus(context.Context) (any, []string) {
	type document struct {
		Limits []limitDocument `json:"limits"`
		Error  string          `json:"error,omitempty"` // why counts cannot be written
	}
	d := document{Limits: []limitDocument{}}
	var lines []string
	used, full := 0, 0
	for _, u := range a.gateway.Usage() {
		b := boundUsage{Usage: u, known: u.Limit != policy.MaxFile && u.Limit != policy.Bandwidth}
		d.Limits = append(d.Limits, b.document())
		if u.Used == 0 {
			continue
		}
		if used++; used <= mostLimits {
			lines = append(lines, entry("", "%s %s of %s, %s", u.Limit, limitWord(u.Limit, u.Used), limitWord(u.Limit, u.Allowed), u.Bound))
		}
		if u.Used >= u.Allowed {
			full++
		}
	}
	if more := used - mostLimits; more > 0 {
		lines = append(lines, entry("", "and %d more", more))
	}
	summary := fmt.Sprintf("%s, %d in use, %d used up", count(len(d.Limits), "limit"), used, full)
	if err := a.quota.Err(); err != nil {
		d.Error = err.Error()
		lines = append([]string{entry("", "FAILED: %s", d.Error)}, lines...)
	}
	return d, append([]string{entry("limits", "%s", summary)}, lines...)
}
