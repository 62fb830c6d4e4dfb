// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// entryFilter selects entries.
type entryFilter struct{ state, device, conduit, path string }

func spoolStates() []string {
	return []string{string(spool.Waiting), string(spool.Held), string(spool.Aside), string(spool.Delivered)}
}

func (f *entryFilter) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.state, "state", "", "only entries in this state: "+strings.Join(spoolStates(), ", "))
	cmd.Flags().StringVar(&f.device, "device", "", "only entries of this device")
	cmd.Flags().StringVar(&f.conduit, "conduit", "", "only entries for this conduit")
	cmd.Flags().StringVar(&f.path, "path", "", "only entries with this path below the conduit's root; * stands for any part of a name")
	// The only error is that the flag does not exist.
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(spoolStates(), cobra.ShellCompDirectiveNoFileComp))
}

func (f *entryFilter) check() error {
	if f.state != "" && !slices.Contains(spoolStates(), f.state) {
		return fmt.Errorf("--state %q: use %s", f.state, strings.Join(spoolStates(), ", "))
	}
	if _, err := path.Match(f.path, ""); err != nil {
		return fmt.Errorf("--path %q: %w", f.path, err)
	}
	return nil
}

func (f *entryFilter) match(e spool.Entry) bool {
	within, _ := path.Match(f.path, e.Full()) // its pattern was checked
	return (f.state == "" || f.state == string(e.State)) && (f.device == "" || f.device == e.Device) &&
		(f.conduit == "" || f.conduit == e.Conduit) && (f.path == "" || within)
}

// isDirectory reports whether an entry stands for a directory that is to be made.
func isDirectory(e spool.Entry) bool { return e.Op == string(policy.Mkdir) }

// sizeWord is how much there is of an entry.
func sizeWord(e spool.Entry) string {
	if isDirectory(e) {
		return "directory"
	}
	return bytesWord(e.Size)
}

// describeEntry is all that is known about an entry, for people.
func describeEntry(e spool.Entry) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	line("entry", "%s, %s", e.ID, e.State)
	if isDirectory(e) {
		line("directory", "%s", e.Path)
	} else {
		line("file", "%s, %d bytes", e.Path, e.Size)
		line("sha256", "%s", e.SHA256)
	}
	line("goes to", "%s:%s", e.Conduit, e.Full())
	line("accepted", "%s from device %s, zone %s, session %s, transfer %s", moment(e.Accepted), e.Device, e.Zone, e.Session, e.Transfer)
	line("by rule", "%s: %s", e.Rule, e.Reason)
	if e.Set != "" {
		line("set", "%s", e.Set)
	}
	if e.Attempts > 0 {
		line("attempts", "%d, the last %s", e.Attempts, moment(e.LastAttempt))
		line("last error", "%s", e.LastError)
	}
	if e.State == spool.Waiting && e.NextAttempt.After(time.Now()) {
		line("next attempt", "%s", moment(e.NextAttempt))
	}
	if e.State == spool.Delivered {
		line("delivered", "%s, receipt %s", moment(e.Delivered), e.Receipt)
	}
	return b.String()
}
