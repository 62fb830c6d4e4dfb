// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// filterFlags are the flags that select records.
type filterFlags struct {
	audit.Filter
	from, to string
}

func (f *filterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Device, "device", "", "only records of this device")
	cmd.Flags().StringVar(&f.Session, "session", "", "only records of this session")
	cmd.Flags().StringVar(&f.Zone, "zone", "", "only records of this zone")
	cmd.Flags().StringVar(&f.Event, "event", "", "only this event, or those that begin like this: \"transfer.*\"")
	cmd.Flags().StringVar(&f.Path, "path", "", "only records about this path, or pattern of paths")
	cmd.Flags().StringVar(&f.Digest, "digest", "", "only records about files with this SHA-256, or its first characters")
	addTimeFlags(cmd, &f.from, &f.to)
}

func addTimeFlags(cmd *cobra.Command, from, to *string) {
	cmd.Flags().StringVar(from, "from", "", "only from this time on: RFC 3339, or a date (UTC)")
	cmd.Flags().StringVar(to, "to", "", "only before this time: RFC 3339, or a date (UTC)")
}

func parseTimes(from, to string) (a, b time.Time, err error) {
	if a, err = parseTime("--from", from); err != nil {
		return a, b, err
	}
	if b, err = parseTime("--to", to); err != nil {
		return a, b, err
	}
	if from != "" && to != "" && !a.Before(b) {
		return a, b, withHint(fmt.Errorf("--from %s is not before --to %s", from, to), "--to is the first moment that does not belong to it any more")
	}
	return a, b, nil
}

func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, withHint(fmt.Errorf("%s %q is not a time", flag, text), "write 2026-01-31T08:00:00Z or 2026-01-31")
}

// newAuditShowCommand is "ftpgw audit show".
func newAuditShowCommand(env environment) *cobra.Command {
	var dir auditDir
	var filter filterFlags
	var asJSON, follow bool
	cmd := &cobra.Command{
		Use:     "show --dir DIR [flags]",
		Short:   "Show records of the log",
		Long:    "Show records of the log, a line for each, oldest first. With --json the lines are those of the log, byte for byte.",
		Example: "  ftpgw audit show --dir /var/lib/ftpgw/audit --device relay-12 --event 'transfer.*' --from 2026-01-31",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := dir.check(); err != nil {
				return err
			}
			if filter.From, filter.To, err = parseTimes(filter.from, filter.to); err != nil {
				return err
			}
			if _, err := path.Match(filter.Path, ""); err != nil {
				return fmt.Errorf("--path %q: %w", filter.Path, err)
			}
			out, shown, events := bufio.NewWriter(env.stdout), 0, map[string]bool{}
			show := func(line []byte, r audit.Record) error {
				events[string(r.Event)] = true
				if !filter.Match(r) {
					return nil
				}
				text := describeRecord(r)
				if asJSON {
					text = string(line)
				}
				shown++
				_, err := out.WriteString(text + "\n")
				if err == nil && follow {
					err = out.Flush()
				}
				return err
			}
			if follow {
				return followLog(cmd.Context(), dir.dir, show)
			}
			if err := errors.Join(eachLine(dir.dir, show), out.Flush()); err != nil || shown > 0 {
				return err
			}
			_, err = fmt.Fprintln(env.stderr, nothingShown(filter, slices.Collect(maps.Keys(events))))
			return err
		},
	}
	dir.add(cmd)
	filter.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "show the lines of the log itself")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new records until interrupted")
	return cmd
}

// nothingShown says that no record was selected. A review must not take the name of an event that is misspelt for good news.
func nothingShown(f filterFlags, events []string) string {
	if f.Event == "" || slices.ContainsFunc(events, func(e string) bool { return audit.Filter{Event: f.Event}.Match(audit.Record{Event: audit.Event(e)}) }) {
		return "no record of the log is like that"
	}
	return strings.TrimSpace(fmt.Sprintf("the log has no event %q. %s", f.Event, config.Suggest(f.Event, "events in it", events)))
}

// followLog shows a log and what comes, until the program is told to end.
func followLog(ctx context.Context, dir string, show func([]byte, audit.Record) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := audit.Follow(ctx, dir, 0, nil, func(_ uint64, line []byte) error {
		r, err := audit.ParseLine(line)
		if err != nil {
			return err
		}
		return show(line, r)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// eachLine reads a log as it stands.
func eachLine(dir string, do func(line []byte, r audit.Record) error) error {
	return audit.Lines(dir, func(line []byte) error {
		r, err := audit.ParseLine(line)
		if err != nil {
			return err
		}
		return do(line, r)
	})
}

// describeRecord is a record in a line for people. Control characters of devices do not reach the terminal.
func describeRecord(r audit.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %6d %-18s", r.Time.Format("2006-01-02T15:04:05.000Z"), r.Seq, r.Event)
	word := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s%s", name, visible(value))
		}
	}
	word("", r.Zone)
	word("", r.Device)
	word("session=", r.Session)
	word("peer=", r.Peer)
	word("user=", r.User)
	if c := r.CommandFields; c != nil {
		fmt.Fprintf(&b, " %s -> %d %s", visible(strings.TrimSpace(c.Verb+" "+c.Args)), c.Code, visible(c.Text))
	}
	if t := r.TransferFields; t != nil {
		fmt.Fprintf(&b, " %s %s", t.Op, visible(t.Path))
		word("-> ", t.To)
		if t.Bytes != nil {
			fmt.Fprintf(&b, " bytes=%d", *t.Bytes)
		}
		word("sha256=", t.SHA256)
		word("rule=", t.Rule)
		if r.Event == audit.DecisionDenied {
			word("reason: ", t.Reason)
		}
		word("conduit=", t.Conduit)
	}
	word("cause: ", r.Cause)
	if r.Event != audit.LogCheckpoint { // its detail is the signed text, for programs
		for _, w := range detailWords(r) {
			word("", w)
		}
	}
	return b.String()
}

// detailWords are the details of a record in the order of their names.
func detailWords(r audit.Record) []string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.Detail)) {
		words = append(words, name+"="+r.Detail[name])
	}
	return words
}

// visible is text with everything that does not print escaped.
func visible(text string) string {
	quoted := fmt.Sprintf("%+q", text)
	if plain := quoted[1 : len(quoted)-1]; plain != text && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r > 0x7e }) {
		return plain
	}
	return text
}
