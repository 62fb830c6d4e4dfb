// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
)

// newPolicyReportCommand is "ftpgw policy report".
func newPolicyReportCommand(env environment) *cobra.Command {
	var path, format, log string
	cmd := &cobra.Command{
		Use:   "report --config FILE|DIR",
		Short: "Write the access matrix, with reasons, for an auditor",
		Long: `Write who may do what, where and when, by which rule and for which reason; rules that can never decide, and rules that
an earlier one decides differently in part. With --audit, also the rules that decided nothing in that audit log.
No key is needed, nothing is dialled.`,
		Example: "  ftpgw policy report --config /etc/ftpgw --audit /var/lib/ftpgw/audit --format html > access.html",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if path == "" {
				return withHint(fmt.Errorf("--config is required"), "name a configuration: --config /etc/ftpgw")
			}
			render, ok := reportFormats()[format]
			if !ok {
				return fmt.Errorf("--format %q: use markdown, csv or html", format)
			}
			cfg, err := loadPolicy(env, path)
			if err != nil {
				return err
			}
			r := newReport(cfg)
			if log != "" {
				if r.Usage, err = readUsage(log, cfg.Policy.Rules()); err != nil {
					return err
				}
			}
			if err := render(env.stdout, r); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&format, "format", "markdown", "markdown, csv or html")
	cmd.Flags().StringVar(&log, "audit", "", "the directory of an audit log to look for rules that were never used in")
	return cmd
}

// accessReport is everything that the access matrix says.
type accessReport struct {
	Digest   string // of the configuration
	Rows     []reportRow
	Findings []string
	Usage    *usage // nil where no log was read
}

// reportRow is one line of the matrix: what one rule says about one operation of one device. Rows of a device and operation stand in
// the order of the rules; the first that matches decides.
type reportRow struct {
	Device, Operation, Verdict, Rule, Paths, Conditions, Window, Delivery, Reason string
}

// columns names the fields of a row, in order.
func columns() []string {
	return []string{"device", "operation", "verdict", "rule", "paths", "conditions", "window", "delivery", "reason"}
}

// cells are the fields of a row, in the order of columns.
func (r reportRow) cells() []string {
	return []string{r.Device, r.Operation, r.Verdict, r.Rule, r.Paths, r.Conditions, r.Window, r.Delivery, r.Reason}
}

// byDefault stands in the place of a rule where none matches. It cannot be the name of one.
const byDefault = "(by default)"

func newReport(cfg *config.Config) accessReport {
	r := accessReport{Digest: cfg.Digest}
	for _, d := range cfg.Policy.Devices() {
		for _, op := range policy.Operations() {
			for _, rule := range cfg.Policy.RulesFor(d.Name) {
				if slices.Contains(rule.Ops, op) {
					r.Rows = append(r.Rows, newRow(d.Name, op, rule))
				}
			}
			paths := "everything else"
			if n := len(r.Rows); n == 0 || r.Rows[n-1].Device != d.Name || r.Rows[n-1].Operation != string(op) {
				paths = "everything"
			}
			r.Rows = append(r.Rows, reportRow{Device: d.Name, Operation: string(op), Verdict: "deny", Rule: byDefault, Paths: paths, Window: "always", Reason: policy.NoRule})
		}
	}
	for _, f := range cfg.Policy.Findings() {
		r.Findings = append(r.Findings, findingText(f))
	}
	return r
}

func newRow(device string, op policy.Operation, rule policy.Rule) reportRow {
	row := reportRow{Device: device, Operation: string(op), Verdict: "allow", Rule: rule.Name, Paths: "/**", Window: rule.Window.String(), Reason: rule.Reason}
	if len(rule.Paths) > 0 {
		row.Paths = joined(rule.Paths)
	}
	row.Conditions = conditions(op, rule)
	if rule.Deny {
		row.Verdict = "deny"
		return row
	}
	if receives := op == policy.Upload || op == policy.Append; receives && rule.Content != nil {
		row.Conditions = strings.TrimPrefix(row.Conditions+"; refused unless "+rule.Content.String(), "; ")
	}
	row.Delivery = rule.Deliver.Conduit
	if receives := op == policy.Upload || op == policy.Append; receives && rule.Deliver.Acknowledge == policy.Spooled {
		row.Delivery += " by way of the spool"
	}
	if rule.PathTemplate != nil && (op == policy.Upload || op == policy.Append) {
		row.Delivery += " as " + rule.PathTemplate.String()
	}
	return row
}

// conditions are what a rule asks for besides device, operation, path and time, in words. Sizes, types and limits are about operations
// that move a file.
func conditions(op policy.Operation, r policy.Rule) string {
	moves := op == policy.Upload || op == policy.Append || op == policy.Download
	var words []string
	add := func(given bool, format string, args ...any) {
		if given {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(len(r.ExceptPaths) > 0, "not %s", joined(r.ExceptPaths))
	add(len(r.Names) > 0, "names %s", joined(r.Names))
	add(len(r.Zones) > 0, "zones %s", joined(r.Zones))
	add(len(r.From) > 0, "from %s", joined(r.From))
	add(r.TLS == policy.UnderTLS, "under TLS")
	add(r.TLS == policy.InClear, "not under TLS")
	add(len(r.Certificates) > 0, "certificate of %s", joined(r.Certificates))
	add(moves && r.MinSize > 0, "at least %s", policy.SizeText(r.MinSize))
	add(moves && r.MaxSize > 0, "at most %s", policy.SizeText(r.MaxSize))
	add(len(r.Types) > 0, "content is %s", strings.Join(r.Types, " or "))
	if r.When != nil {
		words = append(words, r.When.String())
	}
	add(moves && r.Limits != nil, "limit %s", r.Limits)
	return strings.Join(words, "; ")
}

func joined[T fmt.Stringer](values []T) string {
	var words []string
	for _, v := range values {
		words = append(words, v.String())
	}
	return strings.Join(words, ", ")
}

func findingText(f policy.Finding) string {
	switch {
	case f.Unreachable && f.By == "":
		return fmt.Sprintf("rule %q is unreachable: it is about no device", f.Rule)
	case f.Unreachable:
		return fmt.Sprintf("rule %q is unreachable: rule %q and others before it decide everything that it is about", f.Rule, f.By)
	}
	return fmt.Sprintf("rule %q overlaps rule %q, which stands before it and decides differently", f.Rule, f.By)
}

// reportFormats are the ways to write a report.
func reportFormats() map[string]func(io.Writer, accessReport) error {
	return map[string]func(io.Writer, accessReport) error{"markdown": writeMarkdown, "csv": writeCSV, "html": writeHTML}
}
