// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/audit"
)

// newAuditProveCommand is "ftpgw audit prove".
func newAuditProveCommand(env environment) *cobra.Command {
	var dir auditDir
	var seq uint64
	var checkpoint, key string
	cmd := &cobra.Command{
		Use:   "prove --dir DIR (--seq N | --checkpoint FILE --key FILE)",
		Short: "Prove that a record is in the log, or that the log continues an old checkpoint",
		Long: `Write a small proof to stdout, for someone who has nothing but the public key (and the old checkpoint).

With --seq: the record, and why it is in the tree that the log's last checkpoint signs (c2sp.org/tlog-proof).
With --checkpoint: why the log's last checkpoint is of the same records as the old one, and those that came later.`,
		Example: "  ftpgw audit prove --dir /var/lib/ftpgw/audit --seq 4711 > 4711.tlog-proof",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := dir.check(); err != nil {
				return err
			}
			proof, err := prove(cmd, dir.dir, seq, checkpoint, key)
			if err != nil {
				return err
			}
			_, err = env.stdout.Write(proof)
			return err
		},
	}
	dir.add(cmd)
	cmd.Flags().Uint64Var(&seq, "seq", 0, "the sequence number of the record to be proven")
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "the old checkpoint that the log is to continue")
	cmd.Flags().StringVar(&key, "key", "", "the public key of the checkpoints")
	return cmd
}

func prove(cmd *cobra.Command, dir string, seq uint64, checkpoint, key string) ([]byte, error) {
	switch {
	case (seq == 0) == (checkpoint == ""):
		return nil, withHint(errors.New("one of --seq and --checkpoint is required"), "what is to be proven: a record (--seq 4711), or an old checkpoint (--checkpoint FILE)")
	case seq > 0:
		return audit.ProveRecord(cmd.Context(), dir, seq)
	}
	opts, err := verifyOptions(checkpoint, key)
	if err != nil {
		return nil, err
	}
	old, err := audit.OpenCheckpoint(opts.Checkpoint, opts.Key)
	if err != nil {
		return nil, err
	}
	return audit.ProveContinuation(cmd.Context(), dir, old)
}

// newAuditCheckProofCommand is "ftpgw audit check-proof".
func newAuditCheckProofCommand(env environment) *cobra.Command {
	var checkpoint, key string
	cmd := &cobra.Command{
		Use:   "check-proof --key FILE [--checkpoint FILE] PROOF",
		Short: "Check a proof, without the log",
		Long: `Check a proof that "ftpgw audit prove" has made, with nothing but the public key. For a proof that a log continues an old
checkpoint, that is needed, too. Exits with 0 and what is proven, or with 2 when the proof proves nothing.`,
		Example: "  ftpgw audit check-proof --key checkpoint.pub 4711.tlog-proof",
		Args:    oneArgument("proof", "name the file that ftpgw audit prove has written"),
		RunE: func(_ *cobra.Command, args []string) error {
			if key == "" {
				return withHint(errors.New("--key is required"), "give the public key of the checkpoints: checkpoint.pub in the directory of the log")
			}
			opts, err := verifyOptions(checkpoint, key)
			if err != nil {
				return err
			}
			proof, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			p, err := audit.CheckProof(proof, opts.Checkpoint, opts.Key)
			if err != nil {
				if _, werr := fmt.Fprintf(env.stderr, "%s proves NOTHING: %v\n", args[0], err); werr != nil {
					return werr
				}
				return &statusError{2}
			}
			return describeProof(env.stdout, p)
		},
	}
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "the old checkpoint that the proof is about")
	cmd.Flags().StringVar(&key, "key", "", "the public key of the checkpoints (required)")
	return cmd
}

func describeProof(w io.Writer, p audit.Proof) error {
	if p.Old > 0 {
		_, err := fmt.Fprintf(w, "proven: the first %d of the %d records of %s are those of the old checkpoint\n", p.Old, p.Checkpoint.Size, p.Checkpoint.Origin)
		return err
	}
	_, err := fmt.Fprintf(w, "proven: this is record %d of the %d records of %s\n%s\n", p.Seq, p.Checkpoint.Size, p.Checkpoint.Origin, p.Record)
	return err
}
