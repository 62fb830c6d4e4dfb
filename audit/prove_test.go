// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every record can be proven with a short proof, and nothing else can.
func TestProveRecord(t *testing.T) {
	dir := t.TempDir()
	many(t, dir, 40)
	key := read(t, filepath.Join(dir, "checkpoint.pub"))
	list := records(t, dir)
	var before []byte
	for _, r := range list {
		proof, err := ProveRecord(t.Context(), dir, r.Seq)
		if err != nil {
			t.Fatal(err)
		}
		p, err := CheckProof(proof, nil, key)
		if err != nil || p.Seq != r.Seq || p.Checkpoint.Size != int64(len(list)) {
			t.Fatalf("record %d: %+v, %v", r.Seq, p, err)
		}
		if len(proof) > 2500 {
			t.Errorf("record %d: the proof has %d bytes", r.Seq, len(proof))
		}
		if before != nil {
			mixed := bytes.Replace(proof, bytes.Split(proof, []byte("\n"))[1], bytes.Split(before, []byte("\n"))[1], 1)
			if _, err := CheckProof(mixed, nil, key); err == nil {
				t.Errorf("record %d: the proof proves another one, too", r.Seq)
			}
		}
		before = proof
	}
	for i := range before {
		changed := bytes.Clone(before)
		changed[i] ^= 1
		if p, err := CheckProof(changed, nil, key); err == nil && !bytes.Equal(p.Record, lastRecord(t, before, key)) {
			t.Errorf("a proof with another byte %d proves %s", i, p.Record)
		}
	}
	for _, seq := range []uint64{0, uint64(len(list)) + 1} {
		if _, err := ProveRecord(t.Context(), dir, seq); !errors.Is(err, ErrNoRecord) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
}

func lastRecord(t *testing.T, proof []byte, key string) []byte {
	t.Helper()
	p, err := CheckProof(proof, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return p.Record
}

// A checkpoint is proven to continue each that came before, and none of another log.
func TestProveContinuation(t *testing.T) {
	dir := t.TempDir()
	key := ""
	var olds [][]byte
	for range 5 {
		fillLog(t, dir, 7)
		olds = append(olds, []byte(read(t, filepath.Join(dir, "checkpoint"))))
		key = read(t, filepath.Join(dir, "checkpoint.pub"))
	}
	for i, text := range olds {
		old, err := OpenCheckpoint(text, key)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ProveContinuation(t.Context(), dir, old)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := CheckProof(proof, text, key); err != nil || p.Old != old.Size || p.Checkpoint.Size != 40 {
			t.Errorf("checkpoint %d: %+v, %v", i, p, err)
		}
		if _, err := CheckProof(proof, nil, key); err == nil {
			t.Error("a proof about two checkpoints was accepted with one")
		}
		if _, err := CheckProof(proof, olds[(i+1)%len(olds)], key); err == nil {
			t.Error("a proof about another checkpoint was accepted")
		}
		old.Root[3] ^= 1
		if _, err := ProveContinuation(t.Context(), dir, old); err == nil {
			t.Error("a log continues what it never was")
		}
	}
}

// After retention proofs of what is left are still made.
func TestProveAfterRetention(t *testing.T) {
	dir := t.TempDir()
	many(t, dir, 60)
	l := signed(t, dir, Options{
		noKeeper: true, SegmentSize: 4096, Retention: MinRetention,
		running: func() time.Duration { return MinRetention + time.Second },
	})
	for range 30 {
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	(&keeper{log: l}).tidy()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	key := read(t, filepath.Join(dir, "checkpoint.pub"))
	v, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || v.First == 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	for seq := v.First; seq <= v.Last; seq++ {
		proof, err := ProveRecord(t.Context(), dir, seq)
		if err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		if _, err := CheckProof(proof, nil, key); err != nil {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	if _, err := ProveRecord(t.Context(), dir, 1); err == nil || !strings.Contains(err.Error(), "removed") {
		t.Errorf("a record that was removed: %v", err)
	}
}
