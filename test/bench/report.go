// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// report is what a run has to say.
type report struct {
	machine  []string
	loaded   string // the load average before anything began
	rounds   int
	norclone string // why rclone could not be built
	outcomes []outcome
}

// verdict says whether a goal is met, or by how much it is missed.
func (o outcome) verdict(g goal) string {
	if o.missing != "" {
		return "not available"
	}
	m := g.margin(o.samples)
	switch {
	case !measured(m):
		return "not measured"
	case m >= 0:
		return fmt.Sprintf("met, %.0f %% to spare", 100*m)
	default:
		text := fmt.Sprintf("missed by %.0f %%", -100*m)
		if o.why != "" {
			text += ": " + o.why
		}
		return text
	}
}

// reachedText is the measured side of a goal in words.
func (o outcome) reachedText(g goal) string {
	v := g.reached(o.samples)
	switch {
	case !measured(v):
		return "-"
	case g.against == "":
		return fmt.Sprintf("%s %s", number(v), g.of.unit)
	default:
		return fmt.Sprintf("%.2f × %s", v, g.against)
	}
}

// number shows three digits or so.
func number(v float64) string {
	switch {
	case !measured(v):
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// text is one row for the terminal.
func (o outcome) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", o.name, o.work)
	if o.missing != "" {
		fmt.Fprintf(&b, "    not available: %s\n", o.missing)
		return b.String()
	}
	for _, g := range o.goals {
		fmt.Fprintf(&b, "    %s: %s, %s\n", g, o.reachedText(g), o.verdict(g))
	}
	for _, name := range o.names() {
		fmt.Fprintf(&b, "    %-7s", name)
		for _, q := range o.quantities() {
			fmt.Fprintf(&b, "  %s %s %s;", q.name, number(medianOf(q, o.samples[name])), q.unit)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// names are the systems that were measured, in the usual order.
func (o outcome) names() (all []string) {
	for _, name := range []string{gatewayName, rcloneName, sftpName} {
		if len(o.samples[name]) > 0 {
			all = append(all, name)
		}
	}
	return all
}

// write makes performance.md and performance.svg.
func (r report) write(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "performance.svg"), []byte(plot(r.outcomes)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "performance.md"), []byte(r.markdown()), 0o644)
}

const preface = `# What the gateway costs, and how fast it is

<!-- Made by make bench, which measures all of it anew; see test/bench. -->

Everything that the gateway does is on in these measurements: SHA-256 of every byte, fsync and atomic rename on the server, an audit log
whose records are durable before each 226. There is no faster mode without them. The peers do less: rclone neither flushes nor renames.

The systems take turns on the same sshd and the same disk. Ratios are those of measurements of the same round; what is shown are
medians. CPU time and memory are those of the system's own process; how busy the processors were counts everybody. Devices and, where a row says so, a simulated link between the
system and the server run on the same machine, and what they cost is the same for all.

`

func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("## The machine\n\n")
	for _, line := range r.machine {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	fmt.Fprintf(&b, "- load average before the run: %s; rounds: %d\n", r.loaded, r.rounds)
	if r.norclone != "" {
		fmt.Fprintf(&b, "- rclone could not be built, so that nothing is compared with it: %s\n", r.norclone)
	}
	b.WriteString("\n## What must hold\n\n![How each row stands against its target](performance.svg)\n\n")
	b.WriteString("| work | must be | is | |\n|---|---|---|---|\n")
	for _, o := range r.outcomes {
		for _, g := range o.goals {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", o.work, g, o.reachedText(g), o.verdict(g))
		}
	}
	b.WriteString("\n## What was measured\n\nFor each system: the median of the rounds.\n")
	for _, o := range r.outcomes {
		o.detail(&b)
	}
	return b.String()
}

// detail is the table of one row.
func (o outcome) detail(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n", o.work)
	if o.missing != "" {
		fmt.Fprintf(b, "Not available: %s\n", o.missing)
		return
	}
	b.WriteString("| |")
	for _, q := range o.quantities() {
		fmt.Fprintf(b, " %s, %s |", q.name, q.unit)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(o.quantities())) + "\n")
	for _, name := range o.names() {
		fmt.Fprintf(b, "| %s |", name)
		for _, q := range o.quantities() {
			v := medianOf(q, o.samples[name])
			if v == 0 {
				b.WriteString(" - |") // not taken from this system
				continue
			}
			fmt.Fprintf(b, " %s |", number(v))
		}
		b.WriteString("\n")
	}
}
