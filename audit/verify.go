// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Errors of a log that is not what was signed.
var (
	errCut     = errors.New("records are missing at the end")
	errRoot    = errors.New("the records are not those that were signed: the root of the tree differs from the checkpoint's")
	errMissing = errors.New("records are missing at the beginning")
	errOrder   = errors.New("a segment is missing")
)

// VerifyOptions say what a log is compared with. The zero options compare it with itself alone.
type VerifyOptions struct {
	// Key is the verifier key of the checkpoints. Empty: the one in the directory, which who changed the log could have changed, too.
	Key string
	// Checkpoint is a signed note from elsewhere that the log must continue. Empty: none.
	Checkpoint []byte
	// Progress hears, now and then, how many of the bytes have been read. nil: nobody.
	Progress func(done, total int64)
}

// Verification is what Verify has found in a log that is intact.
type Verification struct {
	Segments    int
	First, Last uint64    // sequence numbers; 0 for a log without records
	From, To    time.Time // of these
	Bytes       int64     // of the records
	Checkpoints int       // in the log, all of them right
	Covered     uint64    // records up to this one are covered by a checkpoint; 0 without any
	Alone       bool      // the file checkpoint is missing, although the log has signed heads
	Outside     uint64    // records up to this one are covered by the checkpoint from elsewhere; 0 without one
	Key         string    // the verifier key that was used; empty where there is none
	Root        tlog.Hash // of the tree over all records
}

// verifier goes through a log once, record by record.
type verifier struct {
	ctx     context.Context
	dir     string
	opts    VerifyOptions
	list    []segment
	heads   []expectation // in the order of their sizes
	total   int64
	read    int64  // bytes of the files that are done
	removed uint64 // the last record that a log.removed record tells of
	result  Verification
}

// expectation is a checkpoint that the log is to meet.
type expectation struct {
	Checkpoint
	file    string // where it stands
	outside bool
}

// Verify reads the whole log in dir and checks that every record is well formed and follows the one before it, that every
// checkpoint in it is signed and is about these records, and that the log continues the checkpoints in the directory and in opts. It
// needs memory for one record at a time, no lock and nothing but the directory, so a copy is as good. The first thing that is wrong
// is returned as an error, a LineError where it is about a line. A last line without its end is wrong, too, unless a gateway
// writes the log at this moment.
func Verify(ctx context.Context, dir string, opts VerifyOptions) (Verification, error) {
	v := &verifier{ctx: ctx, dir: dir, opts: opts}
	if err := v.prepare(); err != nil {
		return v.result, err
	}
	c := &chain{}
	if len(v.list) > 0 && v.list[0].number > 1 {
		c = nil
	}
	for i, s := range v.list {
		var err error
		if c, err = v.segment(s, c, i == len(v.list)-1); err != nil {
			return v.result, err
		}
	}
	return v.result, v.finish(c)
}

// prepare finds the segments and what they are to be compared with.
func (v *verifier) prepare() (err error) {
	// The checkpoint is read first: a log that is written meanwhile has its records already.
	if err := v.collectHeads(); err != nil {
		return err
	}
	if v.list, err = segments(v.dir); err != nil {
		return err
	}
	for i, s := range v.list {
		if i > 0 && s.number != v.list[i-1].number+1 {
			return fmt.Errorf("%s: %w: %s follows %s", v.dir, errOrder, s.name(), v.list[i-1].name())
		}
		size, err := s.size()
		if err != nil {
			return err
		}
		v.total += size
	}
	v.result.Segments = len(v.list)
	return nil
}

func (v *verifier) collectHeads() error {
	v.result.Key = v.opts.Key
	if v.result.Key == "" {
		key, err := os.ReadFile(filepath.Join(v.dir, publicKeyFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		v.result.Key = string(bytes.TrimSpace(key))
	}
	file := filepath.Join(v.dir, checkpointFile)
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v.result.Alone = err != nil
	if err == nil {
		if err := v.addHead(file, text, false); err != nil {
			return err
		}
	}
	if len(v.opts.Checkpoint) > 0 {
		return v.addHead("the checkpoint from elsewhere", v.opts.Checkpoint, true)
	}
	return nil
}

func (v *verifier) addHead(file string, text []byte, outside bool) error {
	if v.result.Key == "" {
		return fmt.Errorf("%s: there is no key to check its signature with", file)
	}
	c, err := OpenCheckpoint(text, v.result.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", file, &badSignatureError{err})
	}
	v.heads = append(v.heads, expectation{c, file, outside})
	slices.SortStableFunc(v.heads, func(a, b expectation) int { return int(a.Size - b.Size) })
	return nil
}

// segment goes through one segment.
func (v *verifier) segment(s segment, c *chain, last bool) (*chain, error) {
	size, err := s.size()
	if err != nil {
		return nil, err
	}
	lines, from := 0, v.result.Bytes
	c, torn, err := s.follow(c, nil, func(r step) error {
		lines = r.number
		if r.seq&0xfff == 0 {
			// How far a compressed file has been read is not known; what is said of it does not matter much.
			if err := v.pause(min(v.result.Bytes-from, size)); err != nil {
				return err
			}
		}
		return v.record(r)
	})
	v.read += size
	if err != nil {
		return nil, err
	}
	if len(torn) > 0 && !(last && isWritten(v.dir)) {
		return nil, &LineError{File: s.path(), Line: lines + 1, Seq: c.seq() + 1, Err: errTorn}
	}
	return c, nil
}

// record takes note of one record that follows the one before it.
func (v *verifier) record(s step) error {
	r := &v.result
	if r.First == 0 {
		r.First, r.From = s.seq, s.time
	}
	r.Last, r.To = s.seq, s.time
	r.Bytes += int64(len(s.line)) + 1
	if err := v.meet(s.before); err != nil {
		return err
	}
	if bytes.HasPrefix(s.body, []byte(`"event":"log.`)) {
		return v.ownRecord(s)
	}
	return nil
}

// pause tells how far it is, and ends the reading where nobody wants it any more.
func (v *verifier) pause(read int64) error {
	if v.ctx.Err() != nil {
		return context.Cause(v.ctx)
	}
	if v.opts.Progress != nil {
		v.opts.Progress(v.read+read, v.total)
	}
	return nil
}

// meet compares the checkpoints to whose size the log has come.
func (v *verifier) meet(c *chain) error {
	for len(v.heads) > 0 && v.heads[0].Size <= c.tree.size {
		e := v.heads[0]
		v.heads = v.heads[1:]
		switch {
		case e.Size < c.tree.size && e.outside:
			return fmt.Errorf("%s is of %d records, and nothing is left to compare it with: %w", e.file, e.Size, errMissing)
		case e.Size < c.tree.size:
			continue
		case e.Root != c.tree.root():
			return fmt.Errorf("%w, in %s", errRoot, e.file)
		}
		v.result.Covered = max(v.result.Covered, uint64(e.Size))
		if e.outside {
			v.result.Outside = uint64(e.Size)
		}
	}
	return nil
}

// ownRecord checks what the log says of itself.
func (v *verifier) ownRecord(s step) error {
	r, err := decodeLine(s.line)
	if err != nil {
		return err
	}
	switch r.Event {
	case LogRemoved:
		v.removed, err = strconv.ParseUint(r.Detail["through"], 10, 64)
		return err
	case LogCheckpoint:
	default:
		return nil
	}
	if v.result.Key == "" {
		return errors.New("there is no key to check the checkpoint with")
	}
	c, err := OpenCheckpoint([]byte(r.Detail["note"]), v.result.Key)
	switch {
	case err != nil:
		return err
	case c.Size != s.before.tree.size || c.Root != s.before.tree.root():
		return errRoot
	}
	v.result.Checkpoints++
	v.result.Covered = max(v.result.Covered, uint64(c.Size))
	return nil
}

// finish compares the end of the log.
func (v *verifier) finish(c *chain) error {
	if c == nil {
		c = &chain{}
	}
	v.result.Root = c.tree.root()
	if err := v.meet(c); err != nil {
		return fmt.Errorf("%s: %w", v.dir, err)
	}
	if len(v.heads) > 0 {
		e := v.heads[len(v.heads)-1]
		return fmt.Errorf("%s: %w: %s is of %d records, the last one is %d", v.dir, errCut, e.file, e.Size, c.seq())
	}
	v.result.Alone = v.result.Alone && v.result.Checkpoints > 0
	if first := v.result.First; first > 1 && v.removed < first-1 {
		return fmt.Errorf("%s: %w: the first is %d, and no record says that retention removed those before it", v.dir, errMissing, first)
	}
	return nil
}

// isWritten reports whether a process holds the log open for writing.
func isWritten(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // and releases the lock where it was to be had
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// IsEvidence reports whether an error of Verify says that the log is not intact, and not that it could not be read.
func IsEvidence(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var line *LineError
	var signature *badSignatureError
	for _, known := range []error{errCut, errRoot, errMissing, errOrder} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &line) || errors.As(err, &signature)
}

// badSignatureError says that a checkpoint is not what the key has signed.
type badSignatureError struct{ error }

func (e *badSignatureError) Unwrap() error { return e.error }
