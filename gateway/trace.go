// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"strings"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// Bounds of a trace, in bytes of its texts: syslog receivers take 8 KiB for a whole message, if not told otherwise.
const (
	maxTrace = 4 << 10
	maxWhy   = 256
)

// trace is what the rules said that were asked, up to the one that denies: that one is always there, and of those before it as many
// as there is room for, the first ones first. The number of those that are left out comes with it.
func trace(p *policy.Policy, q policy.Question) (steps []audit.TraceStep, omitted int) {
	_, all := p.Explain(q)
	for len(all) > 0 && all[len(all)-1].Outcome == policy.NotReached {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		return nil, 0
	}
	last := traceStep(all[len(all)-1])
	room := maxTrace - traceSize(last)
	for i, s := range all[:len(all)-1] {
		step := traceStep(s)
		if room -= traceSize(step); room < 0 {
			return append(steps, last), len(all) - 1 - i
		}
		steps = append(steps, step)
	}
	return append(steps, last), 0
}

func traceStep(s policy.Step) audit.TraceStep {
	return audit.TraceStep{Rule: shortened(s.Rule), Outcome: s.Outcome, Why: shortened(s.Why)}
}

func traceSize(s audit.TraceStep) int { return len(s.Rule) + len(s.Outcome) + len(s.Why) }

// shortened is a text of at most maxWhy bytes.
func shortened(text string) string {
	const end = "..."
	if len(text) <= maxWhy {
		return text
	}
	return strings.ToValidUTF8(text[:maxWhy-len(end)], "") + end // the cut may have gone through a character
}
