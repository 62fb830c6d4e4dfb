// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The first lines of proofs: of a record (c2sp.org/tlog-proof), and that one checkpoint continues another (the form in which
// c2sp.org/tlog-witness hands such a proof to a witness, "old" and the size).
const (
	recordProofLine = "c2sp.org/tlog-proof@v1"
	treeProofPrefix = "old "
)

// ErrNoRecord says that a log does not have, or no longer has, the record that is asked for.
var ErrNoRecord = errors.New("the log does not have this record")

// ProveRecord makes the proof that the record with this sequence number is in the log as the last checkpoint in dir signs it: the
// record itself (the extra line), its index (the sequence number less one), the hashes of the tree, and the checkpoint. The log is
// read once, from the beginning; Verify says whether it is intact.
func ProveRecord(ctx context.Context, dir string, seq uint64) ([]byte, error) {
	c, text, err := lastCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	if seq == 0 || seq > uint64(c.Size) {
		return nil, fmt.Errorf("%w, or has not signed it yet: the last checkpoint is of records 1 to %d, and the next one comes within checkpoint_interval", ErrNoRecord, c.Size)
	}
	w := &walk{ctx: ctx, dir: dir, size: c.Size, wanted: int64(seq)}
	proof, err := tlog.ProveRecord(c.Size, int64(seq)-1, w)
	switch {
	case err != nil:
		return nil, err
	case w.line == nil:
		return nil, fmt.Errorf("%w: retention has removed record %d", ErrNoRecord, seq)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\nextra %s\nindex %d\n", recordProofLine, base64.StdEncoding.EncodeToString(w.line), seq-1)
	writeProof(&out, proof, text)
	return out.Bytes(), tlog.CheckRecord(proof, c.Size, c.Root, int64(seq)-1, recordHash(w.line))
}

// ProveContinuation makes the proof that the last checkpoint in dir is of a log that begins with the records that old is about.
func ProveContinuation(ctx context.Context, dir string, old Checkpoint) ([]byte, error) {
	c, text, err := lastCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	if old.Size < 1 || old.Size > c.Size {
		return nil, fmt.Errorf("the checkpoint given is of %d records, the last one of the log is of %d", old.Size, c.Size)
	}
	proof, err := tlog.ProveTree(c.Size, old.Size, &walk{ctx: ctx, dir: dir, size: c.Size})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s%d\n", treeProofPrefix, old.Size)
	writeProof(&out, proof, text)
	return out.Bytes(), tlog.CheckTree(proof, c.Size, c.Root, old.Size, old.Root)
}

func writeProof(out *bytes.Buffer, hashes []tlog.Hash, checkpoint []byte) {
	for _, h := range hashes {
		fmt.Fprintf(out, "%s\n", h)
	}
	fmt.Fprintf(out, "\n%s", checkpoint)
}

func lastCheckpoint(dir string) (Checkpoint, []byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("the last checkpoint: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, publicKeyFile))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("the key of the last checkpoint: %w", err)
	}
	c, err := OpenCheckpoint(text, string(key))
	return c, text, err
}

// walk finds hashes of the tree by reading the log once.
type walk struct {
	ctx    context.Context
	dir    string
	size   int64  // of the tree; what is behind it is not read
	wanted int64  // the sequence number of the record to be kept, 0 for none
	line   []byte // that record
}

// ReadHashes implements tlog.HashReader.
func (w *walk) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make(map[int64]tlog.Hash, len(indexes))
	for _, i := range indexes {
		found[i] = tlog.Hash{}
	}
	missing := len(found)
	see := func(level int, n int64, h tlog.Hash) {
		i := tlog.StoredHashIndex(level, n)
		if was, asked := found[i]; asked && was == (tlog.Hash{}) {
			found[i] = h
			missing--
		}
	}
	if err := w.read(see); err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, fmt.Errorf("%w: what the proof needs of older records was removed with them", ErrNoRecord)
	}
	list := make([]tlog.Hash, len(indexes))
	for k, i := range indexes {
		list[k] = found[i]
	}
	return list, nil
}

func (w *walk) read(see observer) error {
	list, err := segments(w.dir)
	if err != nil {
		return err
	}
	c := &chain{}
	if len(list) > 0 && list[0].number > 1 {
		c = nil
	}
	for _, s := range list {
		c, _, err = s.follow(c, see, func(r step) error {
			if r.before.tree.size >= w.size {
				return errStop
			}
			if int64(r.seq) == w.wanted {
				w.line = bytes.Clone(r.line)
			}
			return w.ctx.Err()
		})
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Proof is what CheckProof has found to be true.
type Proof struct {
	Checkpoint Checkpoint // the later one, where there are two
	Record     []byte     // the line that is proven, without its newline; nil for a proof about two checkpoints
	Seq        uint64     // its sequence number
	Old        int64      // records that the older checkpoint is about; 0 for a proof of a record
}

// CheckProof checks a proof made by ProveRecord, or one by ProveContinuation together with the older checkpoint, with nothing but
// the verifier key. An error says that the proof proves nothing.
func CheckProof(proof, older []byte, key string) (Proof, error) {
	text, note, ok := bytes.Cut(proof, []byte("\n\n"))
	if !ok {
		return Proof{}, errors.New("the proof has no checkpoint")
	}
	c, err := OpenCheckpoint(note, key)
	if err != nil {
		return Proof{}, err
	}
	lines := strings.Split(string(text), "\n")
	switch {
	case lines[0] == recordProofLine:
		return checkRecord(c, lines[1:])
	case strings.HasPrefix(lines[0], treeProofPrefix):
		if len(older) == 0 {
			return Proof{}, errors.New("the proof is about two checkpoints, and the older one is not given")
		}
		return checkContinuation(c, lines, older, key)
	}
	return Proof{}, fmt.Errorf("the proof begins with %q, which is not known", lines[0])
}

func checkRecord(c Checkpoint, lines []string) (Proof, error) {
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "extra ") || !strings.HasPrefix(lines[1], "index ") {
		return Proof{}, errors.New("the proof has not its lines \"extra\" and \"index\"")
	}
	record, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[0], "extra "))
	if err != nil {
		return Proof{}, fmt.Errorf("the record in the proof: %w", err)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil || index < 0 {
		return Proof{}, fmt.Errorf("%q is not an index", lines[1])
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return Proof{}, err
	}
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, index, recordHash(record)); err != nil {
		return Proof{}, fmt.Errorf("the record is not in the tree that was signed: %w", err)
	}
	h, err := parseHead(record)
	if err != nil || h.seq != uint64(index)+1 {
		return Proof{}, fmt.Errorf("what is proven at index %d is not the record %d", index, index+1)
	}
	return Proof{Checkpoint: c, Record: record, Seq: h.seq}, nil
}

func checkContinuation(c Checkpoint, lines []string, older []byte, key string) (Proof, error) {
	old, err := OpenCheckpoint(older, key)
	if err != nil {
		return Proof{}, fmt.Errorf("the older checkpoint: %w", err)
	}
	if lines[0] != treeProofPrefix+strconv.FormatInt(old.Size, 10) {
		return Proof{}, fmt.Errorf("the proof is about %q, the older checkpoint about %d records", lines[0], old.Size)
	}
	hashes, err := parseHashes(lines[1:])
	if err != nil {
		return Proof{}, err
	}
	if err := tlog.CheckTree(hashes, c.Size, c.Root, old.Size, old.Root); err != nil {
		return Proof{}, fmt.Errorf("the later checkpoint does not continue the older one: %w", err)
	}
	return Proof{Checkpoint: c, Old: old.Size}, nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, l := range lines {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return nil, fmt.Errorf("the hash %q in the proof: %w", l, err)
		}
		list = append(list, h)
	}
	return list, nil
}
