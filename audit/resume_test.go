// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// disk is one that fails as it is told until it is whole again.
type disk struct {
	broken atomic.Bool
	opens  bool // opening a segment fails
	syncs  bool // fsync fails
	room   int  // so many bytes can be written before it is full
}

// diskFile is a segment on a disk.
type diskFile struct {
	appender
	disk *disk
}

// writable says that there is room for a record of these tests.
func (d *disk) writable() bool { return d.room >= 150 }

func (d *disk) open(path string) (appender, error) {
	if d.broken.Load() && d.opens {
		return nil, syscall.EIO
	}
	f, err := durable.OpenAppend(path, filePerm)
	return &diskFile{f, d}, err
}

func (f *diskFile) Write(p []byte) (int, error) {
	if !f.disk.broken.Load() {
		return f.appender.Write(p)
	}
	n, err := f.appender.Write(p[:min(len(p), f.disk.room)])
	if f.disk.room -= n; n < len(p) {
		err = errors.Join(syscall.ENOSPC, err)
	}
	return n, err
}

func (f *diskFile) Sync() error {
	if f.disk.broken.Load() && f.disk.syncs {
		return syscall.EIO
	}
	return f.appender.Sync()
}

func named(name string) Record { return Record{Event: Command, Session: name} }

// A log that could not be written goes on by itself when it can be: nothing that was confirmed is lost or doubled, be it durable or
// written only, the gap is on record with its cause and size, and the log is intact.
func TestResume(t *testing.T) {
	line := len(chained(`"event":"command","session":"refused note"}`)[0])
	for name, d := range map[string]*disk{
		"nothing is written":             {},
		"half a line is written":         {room: line / 2},
		"a line and a half":              {room: line + line/2},
		"fsync fails":                    {room: 1 << 20, syncs: true},
		"the next segment is not opened": {room: 1 << 20, opens: true},
	} {
		t.Run(name, func(t *testing.T) { // the directory is of the outer test: the bubble's cleanup comes too early for it
			dir, written := t.TempDir(), d.writable()
			synctest.Test(t, func(t *testing.T) { resume(t, dir, d) })
			if v, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || v.Covered != v.Last {
				t.Errorf("%+v, %v", v, err)
			}
			var got []string
			refused := ""
			for _, r := range records(t, dir) {
				switch r.Event {
				case Command:
					if !strings.HasPrefix(r.Session, "refused") { // it may be there all the same
						got = append(got, r.Session)
					}
				case LogResumed:
					got = append(got, "gap")
					refused = r.Detail["refused"]
					if !strings.Contains(r.Cause, "error") && !strings.Contains(r.Cause, "space") || r.Detail["failed"] == "" {
						t.Errorf("the gap has the cause %q and %v", r.Cause, r.Detail)
					}
				}
			}
			want, number := []string{"before", "gap", "after"}, "4"
			if written { // the note
				want, number = []string{"before", "note", "gap", "after"}, "3"
			}
			if !slices.Equal(got, want) || refused != number {
				t.Errorf("on record: %q, %s refused, want %q and %s", got, refused, want, number)
			}
		})
	}
}

// resume has a log fail and work again.
func resume(t *testing.T, dir string, d *disk) {
	var heard []error
	opts := Options{Key: filepath.Join(dir, "key"), OnFailure: func(err error) { heard = append(heard, err) }}
	if d.opens {
		opts.SegmentSize = 1 // each batch ends with a rotation
	}
	l, err := openWith(dir, opts, d.open)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), named("before")); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	d.broken.Store(true)
	failed := l.Failed()
	refusals := 0
	if d.writable() {
		if err := l.Note(named("note")); err != nil {
			t.Error(err)
		}
	} else if err := l.Note(named("refused note")); errors.Is(err, ErrFailed) {
		refusals++
	}
	if d.opens { // the log fails with the rotation behind the note
		<-failed
	}
	for _, r := range []Record{named("refused 1"), named("refused 2"), named("refused 3")} {
		if err := l.Record(t.Context(), r); !errors.Is(err, ErrFailed) {
			t.Errorf("a record while the disk is broken: %v", err)
		} else {
			refusals++
		}
	}
	<-failed
	if !errors.Is(l.Err(), ErrFailed) || refusals < 3 {
		t.Errorf("failed: %v after %d refusals", l.Err(), refusals)
	}
	time.Sleep(5 * time.Minute) // of the bubble: it is tried, and fails again where the disk is asked
	synctest.Wait()
	d.broken.Store(false)
	time.Sleep(2 * longRetry)
	synctest.Wait()
	if l.Err() != nil {
		t.Fatalf("the disk is whole, and the log has failed: %v", l.Err())
	}
	if err := l.Record(t.Context(), named("after")); err != nil {
		t.Error(err)
	}
	if len(heard) != 2 || !errors.Is(heard[0], ErrFailed) || heard[1] != nil {
		t.Errorf("heard %v", heard)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Where the files are not those that were written, a log that has failed stays so: nothing is written to another one, or behind a gap.
func TestNoResumeOnOtherFiles(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"the segment is gone":  func(t *testing.T, dir string) { remove(t, filepath.Join(dir, first)) },
		"the segment is empty": func(t *testing.T, dir string) { write(t, filepath.Join(dir, first), "") },
		"a record is gone": func(t *testing.T, dir string) {
			lines := strings.SplitAfter(read(t, filepath.Join(dir, first)), "\n")
			write(t, filepath.Join(dir, first), lines[0])
		},
		"another record": func(t *testing.T, dir string) {
			text := read(t, filepath.Join(dir, first))
			write(t, filepath.Join(dir, first), strings.Replace(text, "before", "beyond", 1))
		},
		"the last record is another": func(t *testing.T, dir string) {
			text := read(t, filepath.Join(dir, first))
			write(t, filepath.Join(dir, first), strings.Replace(text, "second", "zecond", 1))
		},
		"the lock is another": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, lockFile))
			write(t, filepath.Join(dir, lockFile), "")
		},
		"the directory is gone": func(t *testing.T, dir string) {
			if err := os.Rename(dir, dir+".gone"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				l, err := openWith(dir, Options{noKeeper: true}, d.open)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"before", "second"} {
					if err := l.Record(t.Context(), named(name)); err != nil {
						t.Fatal(err)
					}
				}
				d.broken.Store(true)
				if l.Record(t.Context(), named("refused")) == nil {
					t.Error("recorded on a broken disk")
				}
				change(t, dir)
				d.broken.Store(false)
				time.Sleep(10 * time.Minute) // of the bubble
				synctest.Wait()
				if err := l.Record(t.Context(), named("on other files")); !errors.Is(err, ErrFailed) {
					t.Errorf("the log goes on: %v", err)
				}
				if err := l.Close(); !errors.Is(err, ErrFailed) {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

// A log fails again with what it has to say of the gap: both gaps are on record as one.
func TestResumeFailsAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		var heard []error
		l, err := openWith(dir, Options{OnFailure: func(err error) { heard = append(heard, err) }}, d.open)
		if err != nil {
			t.Fatal(err)
		}
		d.broken.Store(true)
		for range 3 {
			if err := l.Note(named("note")); !errors.Is(err, ErrFailed) {
				t.Errorf("a note on a broken disk: %v", err)
			}
		}
		time.Sleep(time.Hour) // the files can be read, and writing fails each time
		synctest.Wait()
		if len(heard) != 1 {
			t.Errorf("heard %v", heard)
		}
		d.broken.Store(false)
		time.Sleep(2 * longRetry)
		if err := l.Record(t.Context(), named("after")); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if len(heard) != 2 || heard[1] != nil {
			t.Errorf("heard %v", heard)
		}
	})
	events := map[Event]int{}
	for _, r := range records(t, dir) {
		events[r.Event]++
	}
	if events[LogResumed] != 1 || events[Command] < 1 || events[Command] > 4 {
		t.Errorf("on record: %v", events)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
