// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot draws how each goal stands: a bar for what was reached as a part of what must be, in such a way that longer is better. The line
// is the target.
func plot(outcomes []outcome) string {
	const (
		width, left, right = 1000, 470, 110
		line, bar, top     = 24, 14, 40
		widest             = 3.0 // a bar that is longer is cut
	)
	type entry struct {
		label, value string
		share        float64 // reached / target, or target / reached where less is better
	}
	var entries []entry
	for _, o := range outcomes {
		for _, g := range o.goals {
			e := entry{label: o.work + ": " + g.of.name, value: o.reachedText(g), share: math.NaN()}
			if v := g.reached(o.samples); measured(v) && o.missing == "" {
				e.share = v / g.bound
				if g.of.less {
					e.share = g.bound / v
				}
			}
			entries = append(entries, e)
		}
	}
	height := top + line*len(entries) + 20
	scale := float64(width-left-right) / widest
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	for i, e := range entries {
		y := top + i*line
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-8, y+bar-2, html.EscapeString(e.label))
		if !measured(e.share) {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#777777">not available</text>`+"\n", left+4, y+bar-2)
			continue
		}
		color := "#2b7a4b"
		if e.share < 1 {
			color = "#b5482f"
		}
		length := math.Min(e.share, widest) * scale
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y, length, bar, color)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", float64(left)+length+5, y+bar-2, html.EscapeString(e.value))
	}
	target := float64(left) + scale
	fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222222" stroke-dasharray="4 3"/>`+"\n", target, top-12, target, height-14)
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">target</text>`+"\n", target, top-18)
	b.WriteString("</svg>\n")
	return b.String()
}
