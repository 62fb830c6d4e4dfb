// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
)

// newAuditReportCommand is "ftpgw audit report".
func newAuditReportCommand(env environment) *cobra.Command {
	var dir auditDir
	var from, to, format string
	cmd := &cobra.Command{
		Use:   "report --dir DIR [--from TIME] [--to TIME] [--format markdown|csv|html]",
		Short: "Sum up a time for a review",
		Long: `Sum up what each device has transferred, what became of what it left in the spool, what was denied, which logins failed, what was
an attack, what operators have changed, and what was wrong with conduits and log: what a review of event logs (NERC CIP-007 R4)
looks at. Whether the log is intact is said by "ftpgw audit verify".`,
		Example: "  ftpgw audit report --dir /var/lib/ftpgw/audit --from 2026-01-01 --to 2026-01-16 --format html > review.html",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := dir.check(); err != nil {
				return err
			}
			write, known := auditReportFormats()[format]
			if !known {
				return fmt.Errorf("--format %q: use markdown, csv or html", format)
			}
			a, b, err := parseTimes(from, to)
			if err != nil {
				return err
			}
			filter, p := audit.Filter{From: a, To: b}, audit.NewReporter(a, b)
			if err := eachLine(dir.dir, func(_ []byte, r audit.Record) error {
				if filter.Match(r) {
					p.Add(r)
				}
				return nil
			}); err != nil {
				return err
			}
			return write(env.stdout, tablesOf(p.Report()))
		},
	}
	dir.add(cmd)
	addTimeFlags(cmd, &from, &to)
	cmd.Flags().StringVar(&format, "format", "markdown", "markdown, csv or html")
	return cmd
}

// reportTable is one part of a report, the same in every format.
type reportTable struct {
	Title  string
	Header []string
	Rows   [][]string
}

// reportDocument is a report as tables.
type reportDocument struct {
	Title  string
	About  string
	Tables []reportTable
}

func auditReportFormats() map[string]func(io.Writer, reportDocument) error {
	return map[string]func(io.Writer, reportDocument) error{"markdown": writeReportMarkdown, "csv": writeReportCSV, "html": writeReportHTML}
}

func tablesOf(r audit.Report) reportDocument {
	bound := func(t time.Time, open string) string {
		if t.IsZero() {
			return open
		}
		return stamp(t)
	}
	d := reportDocument{Title: "Audit report", About: fmt.Sprintf("From %s to %s: %d records, %d to %d.",
		bound(r.From, "the beginning"), bound(r.To, "the end"), r.Records, r.FirstSeq, r.LastSeq) +
		" A name in quotation marks is what somebody called himself who did not log in. Whether the log is intact is said by ftpgw audit verify."}
	devices := reportTable{Title: "Devices", Header: []string{"device", "sessions", "logins", "failed logins", "uploads", "bytes up",
		"downloads", "bytes down", "aborted", "denied", "changes", "first", "last"}}
	for _, a := range r.Devices {
		devices.Rows = append(devices.Rows, []string{visible(a.Device), itoa(a.Sessions), itoa(a.Logins), itoa(a.FailedLogins), itoa(a.Uploads),
			strconv.FormatInt(a.UploadedBytes, 10), itoa(a.Downloads), strconv.FormatInt(a.DownloadedBytes, 10),
			itoa(a.Aborted), itoa(a.Denied), itoa(a.Changes), stamp(a.First), stamp(a.Last)})
	}
	denials := reportTable{Title: "Denials", Header: []string{"count", "device", "what", "rule", "reason", "first", "last"}}
	for _, i := range r.Denials {
		denials.Rows = append(denials.Rows, []string{itoa(i.Count), visible(i.Who), visible(i.What), cmp.Or(i.Rule, byDefault), i.Why, stamp(i.First), stamp(i.Last)})
	}
	logins := reportTable{Title: "Failed logins", Header: []string{"count", "user", "from", "cause", "first", "last"}}
	for _, i := range r.FailedLogins {
		logins.Rows = append(logins.Rows, []string{itoa(i.Count), visible(i.Who), i.Peer, visible(i.Why), stamp(i.First), stamp(i.Last)})
	}
	d.Tables = []reportTable{devices, spoolTable(r.Spool), denials, logins, attackTable(r.Attacks),
		eventTable("Operators and configuration", r.Operators), eventTable("Conduits, clock, log and islands", r.Alarms)}
	return d
}

func spoolTable(list []audit.SpoolActivity) reportTable {
	t := reportTable{Title: "Spool", Header: []string{"device", "accepted", "bytes", "delivered", "bytes", "tried again", "set aside", "held", "discarded"}}
	for _, a := range list {
		t.Rows = append(t.Rows, []string{visible(a.Device), itoa(a.Accepted), strconv.FormatInt(a.AcceptedBytes, 10), itoa(a.Delivered),
			strconv.FormatInt(a.DeliveredBytes, 10), itoa(a.Retries), itoa(a.Aside), itoa(a.Held), itoa(a.Discarded)})
	}
	return t
}

func attackTable(list []audit.Incident) reportTable {
	t := reportTable{Title: "Attacks, limits and lockouts", Header: []string{"count", "what", "device or user", "from", "first", "last"}}
	for _, i := range list {
		t.Rows = append(t.Rows, []string{itoa(i.Count), visible(i.What), visible(i.Who), i.Peer, stamp(i.First), stamp(i.Last)})
	}
	return t
}

func eventTable(title string, list []audit.Record) reportTable {
	t := reportTable{Title: title, Header: []string{"time", "record", "event", "cause", "detail"}}
	for _, r := range list {
		words := detailWords(r)
		if r.TransferFields != nil {
			words = append([]string{r.Op + " " + r.Path}, words...)
		}
		t.Rows = append(t.Rows, []string{stamp(r.Time), strconv.FormatUint(r.Seq, 10), string(r.Event), visible(r.Cause), visible(strings.Join(words, ", "))})
	}
	return t
}

func itoa(n int) string        { return strconv.Itoa(n) }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func writeReportMarkdown(w io.Writer, d reportDocument) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", d.Title, d.About)
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`)
	for _, t := range d.Tables {
		fmt.Fprintf(&b, "\n## %s\n\n", t.Title)
		if len(t.Rows) == 0 {
			b.WriteString("None.\n")
			continue
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.Header, " | "), strings.Repeat("---|", len(t.Header)))
		for _, row := range t.Rows {
			for _, c := range row {
				fmt.Fprintf(&b, "| %s ", cell.Replace(c))
			}
			b.WriteString("|\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeReportCSV writes all tables with a first column that names the table, so that a spreadsheet can take them apart. A cell that a
// spreadsheet would take for a formula gets an apostrophe: devices choose names of files and users.
func writeReportCSV(w io.Writer, d reportDocument) error {
	out := csv.NewWriter(w)
	var errs []error
	for _, t := range d.Tables {
		errs = append(errs, out.Write(append([]string{"table"}, t.Header...)))
		for _, row := range t.Rows {
			line := []string{t.Title}
			for _, c := range row {
				if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
					c = "'" + c
				}
				line = append(line, c)
			}
			errs = append(errs, out.Write(line))
		}
	}
	out.Flush()
	return errors.Join(append(errs, out.Error())...)
}

func writeReportHTML(w io.Writer, d reportDocument) error {
	page, err := template.New("report").Parse(reportPage)
	if err != nil {
		return fmt.Errorf("the page of the report: %w", err)
	}
	return page.Execute(w, d)
}

const reportPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>
<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .5em;text-align:left}th{background:#eee}td{vertical-align:top;overflow-wrap:break-word}</style>
</head><body><h1>{{.Title}}</h1><p>{{.About}}</p>
{{range .Tables}}<h2>{{.Title}}</h2>
{{if .Rows}}<table><tr>{{range .Header}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>{{else}}<p>None.</p>{{end}}
{{end}}</body></html>
`
