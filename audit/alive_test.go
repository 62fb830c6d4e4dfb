// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// What was noted is on stable storage when the log has given a sign of life.
func TestAliveFlushes(t *testing.T) {
	l := open(t, t.TempDir())
	for range 3 {
		if err := l.Note(named("x")); err != nil {
			t.Fatal(err)
		}
		if err := l.Alive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Alive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// stuckFile is a segment whose flush does not come back until it is let go.
type stuckFile struct {
	appender
	stuck, free chan struct{}
}

func (f *stuckFile) Sync() error {
	close(f.stuck)
	<-f.free
	return f.appender.Sync()
}

// A log whose disk does not come back is not alive.
func TestAliveNoticesAStuckDisk(t *testing.T) {
	file := &stuckFile{stuck: make(chan struct{}), free: make(chan struct{})}
	l, err := openWith(t.TempDir(), Options{}, func(path string) (appender, error) {
		var err error
		file.appender, err = durable.OpenAppend(path, filePerm)
		return file, err
	})
	if err != nil {
		t.Fatal(err)
	}
	recorded := make(chan error, 1)
	go func() { recorded <- l.Record(t.Context(), named("x")) }()
	<-file.stuck
	file.stuck = make(chan struct{}) // for the flush at the end
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Alive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	close(file.free)
	if err := errors.Join(<-recorded, l.Close()); err != nil {
		t.Error(err)
	}
}

// A log that has failed and tries to go on by itself is alive: ending the program would not mend the disk.
func TestAliveWhileTheLogHasFailed(t *testing.T) {
	d := &disk{}
	dir := t.TempDir()
	l, err := openWith(dir, Options{}, d.open)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), named("before")); err != nil {
		t.Fatal(err)
	}
	d.broken.Store(true)
	if err := l.Record(t.Context(), named("x")); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if err := l.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	d.broken.Store(false)
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
}
