// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
)

// newAuditVerifyCommand is "ftpgw audit verify".
func newAuditVerifyCommand(env environment) *cobra.Command {
	var dir auditDir
	var checkpoint, key string
	cmd := &cobra.Command{
		Use:   "verify --dir DIR [--key FILE] [--checkpoint FILE]",
		Short: "Check that nothing in an audit log was changed, added or taken away",
		Long: `Read a whole audit log and check every record, the chain of their hashes, the tree over them and the signature of every
checkpoint. Exits with 0 when the log is intact, and with 2 and the first record that is not when it is not.

Who can write to the appliance can rewrite its log, and sign it with the key that lies there. That is found by a checkpoint
that had left the appliance before (--checkpoint), with the public key as it was then (--key).`,
		Example: "  ftpgw audit verify --dir /var/lib/ftpgw/audit\n  ftpgw audit verify --dir copy --key checkpoint.pub --checkpoint checkpoint-2026-01",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dir.check(); err != nil {
				return err
			}
			opts, err := verifyOptions(checkpoint, key)
			if err != nil {
				return err
			}
			bar := &progressBar{out: env.stderr}
			if env.terminal {
				opts.Progress = bar.show
			}
			v, err := audit.Verify(cmd.Context(), dir.dir, opts)
			bar.clear()
			if err != nil {
				return notIntact(env.stderr, dir.dir, err)
			}
			if v.Last == 0 { // a gateway's first record comes before its first device
				return withHint(fmt.Errorf("there is no audit log in %s: it holds no record", dir.dir), "name the dir of the configuration's audit block, or a copy of it")
			}
			_, err = io.WriteString(env.stdout, describeVerification(dir.dir, v, opts))
			return err
		},
	}
	dir.add(cmd)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "a checkpoint from elsewhere that the log must continue")
	cmd.Flags().StringVar(&key, "key", "", "the public key of the checkpoints (default: checkpoint.pub in the directory)")
	return cmd
}

// verifyOptions reads the files that the flags name. One that was named by mistake, or is empty, must neither pass for nothing nor
// speak against a log.
func verifyOptions(checkpoint, key string) (opts audit.VerifyOptions, err error) {
	if opts.Checkpoint, err = readFlagFile(checkpoint); err != nil {
		return opts, fmt.Errorf("--checkpoint: %w", err)
	}
	if checkpoint != "" && !audit.IsCheckpoint(opts.Checkpoint) {
		return opts, withHint(fmt.Errorf("--checkpoint: there is no checkpoint in %s", checkpoint), "a checkpoint is an old copy of the file checkpoint in the directory of the log, or the note of a log.checkpoint record")
	}
	text, err := readFlagFile(key)
	if err != nil {
		return opts, fmt.Errorf("--key: %w", err)
	}
	opts.Key = strings.TrimSpace(string(text))
	if key != "" && !audit.IsKey(opts.Key) {
		return opts, withHint(fmt.Errorf("--key: there is no public key of checkpoints in %s", key), "give a copy of the file checkpoint.pub in the directory of the log")
	}
	if opts.Checkpoint != nil && opts.Key == "" {
		return opts, withHint(errors.New("--checkpoint needs --key"), "give the public key that you hold: the one beside the log could have been exchanged with it")
	}
	return opts, nil
}

// notIntact reports a log that is not intact, which ends the program with 2. What is wrong with the reading stays an error.
func notIntact(w io.Writer, dir string, err error) error {
	if !audit.IsEvidence(err) {
		return err
	}
	if _, werr := fmt.Fprintf(w, "%s is NOT intact: %v\n", dir, err); werr != nil {
		return werr
	}
	return &statusError{2}
}

func describeVerification(dir string, v audit.Verification, opts audit.VerifyOptions) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s is intact: records %d to %d in %s, %d bytes\n", dir, v.First, v.Last, count(v.Segments, "segment"), v.Bytes)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("from, to", "%s, %s", v.From.Format(time.RFC3339), v.To.Format(time.RFC3339))
	line("root", "%s", v.Root)
	switch {
	case v.Key == "":
		line("signatures", "none: this log has no key")
	case v.Checkpoints == 0:
		line("signatures", "none: there is no checkpoint yet")
		return out.String()
	case opts.Key == "":
		line("signatures", "%s, right by the key that lies beside the log; give your own with --key", count(v.Checkpoints, "checkpoint"))
	default:
		line("signatures", "%s, right by the key given", count(v.Checkpoints, "checkpoint"))
	}
	line("signed", "records up to %d", v.Covered)
	if v.Alone {
		line("missing", "the file checkpoint: records behind %d may have been cut off with it", v.Last)
	}
	if v.Outside > 0 {
		line("unchanged", "records up to %d since the checkpoint given", v.Outside)
	}
	return out.String()
}

// progressBar shows on a terminal how far a long reading has come.
type progressBar struct {
	out   io.Writer
	shown int // per mille, so that a line is written a thousand times at most
}

const barWidth = 40

func (b *progressBar) show(done, total int64) {
	if total <= 0 {
		return
	}
	now := int(min(done*1000/total, 1000))
	if now == b.shown {
		return
	}
	b.shown = now
	full := now * barWidth / 1000
	// A bar that cannot be shown is not missed.
	_, _ = fmt.Fprintf(b.out, "\r[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), now/10)
}

func (b *progressBar) clear() {
	if b.shown > 0 {
		_, _ = fmt.Fprintf(b.out, "\r%s\r", strings.Repeat(" ", barWidth+10))
	}
}
