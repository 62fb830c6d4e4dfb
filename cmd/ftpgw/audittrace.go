// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
)

// newAuditTraceCommand is "ftpgw audit trace".
func newAuditTraceCommand(env environment) *cobra.Command {
	var dir auditDir
	cmd := &cobra.Command{
		Use:   "trace --dir DIR SHA256|PATH",
		Short: "Show the life of one file",
		Long: `Show what is on record about one file, in the order in which it happened: every transfer with its decision, its digest and its
receipt, its way through the spool, and every denial and change. The file is named by its SHA-256 (8 characters at least), or by its path as the device
sees it. Exits with 2 where nothing is on record.`,
		Example: "  ftpgw audit trace --dir /var/lib/ftpgw/audit /events/F0001.dat",
		Args:    oneArgument("file", "name it by its path as the device sees it, or by its SHA-256"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := dir.check(); err != nil {
				return err
			}
			list, err := traceFile(dir.dir, args[0])
			if err != nil {
				return err
			}
			if len(list) == 0 {
				if _, err := fmt.Fprintf(env.stderr, "nothing is on record about %s\nA file is named by its path as the device sees it, or by 8 digits or more of its SHA-256.\n", visible(args[0])); err != nil {
					return err
				}
				return &statusError{2}
			}
			for _, r := range list {
				if _, err := fmt.Fprint(env.stdout, describeStep(r)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	dir.add(cmd)
	return cmd
}

// traceFile finds the records about a file, and all others of the same transfers: the digest stands only at a transfer's end.
func traceFile(dir, name string) ([]audit.Record, error) {
	filter := audit.Filter{Path: name}
	if regexp.MustCompile(`^[0-9a-fA-F]{8,64}$`).MatchString(name) {
		filter = audit.Filter{Digest: name}
	}
	if name == "" {
		return nil, errors.New("a file is named by its SHA-256 or its path")
	}
	transfers := map[string]bool{}
	if err := eachLine(dir, func(_ []byte, r audit.Record) error {
		if filter.Match(r) && r.TransferFields != nil && r.Transfer != "" {
			transfers[r.Transfer] = true
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var list []audit.Record
	err := eachLine(dir, func(_ []byte, r audit.Record) error {
		if r.TransferFields != nil && (filter.Match(r) || transfers[r.Transfer]) && r.Op != "list" {
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

// describeReceipt is what the destination of an upload has achieved, in words.
func describeReceipt(conduit string, p audit.Receipt) string {
	words := []string{fmt.Sprintf("%d bytes", p.Bytes)}
	yesNo := func(is bool, yes, no string) {
		if !is {
			yes = no
		}
		words = append(words, yes)
	}
	yesNo(p.Fsynced, "flushed (fsync)", "not flushed: the server offers no fsync")
	yesNo(p.Atomic, "renamed in one step", "not renamed in one step")
	if p.Verified != "" {
		words = append(words, "verified by "+p.Verified)
	}
	return fmt.Sprintf("conduit %s, %s: %s", conduit, p.Path, strings.Join(words, ", "))
}

// describeStep is one record of a file's life, over several lines.
func describeStep(r audit.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s (record %d)\n", r.Time.Format("2006-01-02T15:04:05.000Z"), r.Event, r.Seq)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "    %-9s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	t := r.TransferFields
	what := t.Op + " " + t.Path
	if t.To != "" {
		what += " -> " + t.To
	}
	line("what", "%s", what)
	line("who", "%s from %s in zone %s, session %s", r.Device, r.Peer, r.Zone, r.Session)
	switch {
	case t.Rule != "":
		line("why", "rule %q: %s", t.Rule, t.Reason)
	case t.Reason != "":
		line("why", "by default: %s", t.Reason)
	}
	if t.Bytes != nil {
		line("bytes", "%d", *t.Bytes)
	}
	if t.SHA256 != "" {
		line("sha256", "%s", t.SHA256)
	}
	if len(t.Evidence) > 0 {
		line("whole by", "%s", strings.Join(t.Evidence, ", "))
	}
	if p := t.Receipt; p != nil {
		line("receipt", "%s", describeReceipt(t.Conduit, *p))
	}
	if r.Cause != "" {
		line("cause", "%s", r.Cause)
	}
	return b.String()
}
