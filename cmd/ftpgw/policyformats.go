// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// remarks are the lines behind the matrix.
func (r accessReport) remarks() []string {
	lines := r.Findings
	if r.Usage != nil {
		lines = append(lines[:len(lines):len(lines)], r.Usage.lines()...)
	}
	if len(lines) == 0 {
		return []string{"nothing was found"}
	}
	return lines
}

// writeMarkdown writes a report as a table in Markdown.
func writeMarkdown(w io.Writer, r accessReport) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# Access matrix\n\nConfiguration %s. For one device and operation the first row that matches decides.\n\n", r.Digest)
	row := func(cells []string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
	row(columns())
	fmt.Fprintf(&out, "|%s\n", strings.Repeat("---|", len(columns())))
	// Patterns and reasons may hold what Markdown takes for signs of its own.
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `*`, `\*`, `_`, `\_`, "`", "\\`", `<`, `&lt;`, `[`, `\[`)
	for _, entry := range r.Rows {
		cells := entry.cells()
		for i := range cells {
			cells[i] = escape.Replace(cells[i])
		}
		row(cells)
	}
	out.WriteString("\n## Remarks\n\n")
	for _, line := range r.remarks() {
		fmt.Fprintf(&out, "- %s\n", escape.Replace(line))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeCSV writes a report for spreadsheets (RFC 4180). The remarks are rows behind the matrix whose verdict is "remark".
func writeCSV(w io.Writer, r accessReport) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns()); err != nil {
		return err
	}
	rows := slices.Clone(r.Rows)
	for _, line := range r.remarks() {
		rows = append(rows, reportRow{Verdict: "remark", Reason: line})
	}
	for _, row := range rows {
		cells := row.cells()
		for i, cell := range cells {
			// A cell that begins with one of these is a formula to spreadsheets, and may have been written by somebody else.
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cells[i] = "'" + cell
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// htmlReport is one page without anything from elsewhere.
const htmlReport = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Access matrix</title>
<style>body{font:14px sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:2px 6px;text-align:left;vertical-align:top}th{background:#eee}td:nth-child(-n+4){white-space:nowrap}.deny{background:#fdd}</style></head>
<body><h1>Access matrix</h1><p>Configuration {{.Digest}}. For one device and operation the first row that matches decides.</p>
<table><thead><tr>{{range .Columns}}<th>{{.}}</th>{{end}}</tr></thead><tbody>
{{range .Rows}}<tr class="{{.Verdict}}">{{range .Cells}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody></table><h2>Remarks</h2><ul>{{range .Remarks}}<li>{{.}}</li>{{end}}</ul></body></html>
`

// writeHTML writes a report as one page.
func writeHTML(w io.Writer, r accessReport) error {
	page, err := template.New("report").Parse(htmlReport)
	if err != nil {
		return err
	}
	type row struct {
		Verdict string
		Cells   []string
	}
	data := struct {
		Digest           string
		Columns, Remarks []string
		Rows             []row
	}{Digest: r.Digest, Columns: columns(), Remarks: r.remarks()}
	for _, entry := range r.Rows {
		data.Rows = append(data.Rows, row{entry.Verdict, entry.cells()})
	}
	return page.Execute(w, data)
}
