// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log whose file was removed under it has failed: what is written to it nobody will read.
func TestRemovedLogFails(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(context.Background(), sample()); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%v %v", segments, err)
	}
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(context.Background(), sample()); err == nil || !strings.Contains(err.Error(), "was removed") {
		t.Errorf("got %v", err)
	}
	if l.Err() == nil {
		t.Error("the log goes on")
	}
	_ = l.Close() // says the same again
}
