// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// many records n commands in a log whose segments are small.
func many(t *testing.T, dir string, n int) {
	t.Helper()
	l := signed(t, dir, Options{SegmentSize: 4096})
	for range n {
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// A log of many segments, compressed and not, is one log: for its readers, for verify and for the next start.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		many(t, dir, 60)
	}
	// Nobody holds the log now: what the keeper did not come to is done by hand.
	list, err := segments(dir)
	if err != nil || len(list) < 10 {
		t.Fatalf("%d segments, %v", len(list), err)
	}
	commands, heads := 0, 0
	for _, r := range records(t, dir) {
		switch r.Event {
		case Command:
			commands++
		case LogSegment:
			heads++
		}
	}
	if commands != 180 || heads != len(list)-1 {
		t.Errorf("%d commands and %d heads in %d segments", commands, heads, len(list))
	}
	for i, s := range list[:len(list)-1] {
		if s.compressed || i%2 == 0 {
			continue
		}
		before := read(t, s.path())
		if err := s.compress(); err != nil {
			t.Fatal(err)
		}
		s.compressed = true
		var after strings.Builder
		if err := s.copyTo(&after); err != nil || after.String() != before {
			t.Errorf("%s is not what it was: %v", s.path(), err)
		}
	}
	v, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || v.Segments != len(list) || v.Checkpoints != 3 || v.Covered != v.Last {
		t.Errorf("%+v, %v", v, err)
	}
}

// The keeper compresses what is finished, and removes what was left half compressed.
func TestKeeperCompresses(t *testing.T) {
	dir := t.TempDir()
	many(t, dir, 60)
	list, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	half := segment{dir: dir, number: 1, compressed: true}
	if !list[0].compressed {
		write(t, half.path(), "half")
	}
	l := signed(t, dir, Options{noKeeper: true})
	k := keeper{log: l}
	k.tidy()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	list, err = segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range list {
		if _, err := os.Stat(filepath.Join(dir, s.name())); (i < len(list)-1) != errors.Is(err, os.ErrNotExist) {
			t.Errorf("segment %d, compressed %v: %v", i, s.compressed, err)
		}
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Error(err)
	}
	// A byte of a compressed segment changes.
	b := []byte(read(t, list[1].path()))
	for _, at := range []int{0, 5, len(b) / 2, len(b) - 1} {
		changed := append([]byte(nil), b...)
		changed[at] ^= 0x10
		write(t, list[1].path(), string(changed))
		if _, err := Verify(t.Context(), dir, VerifyOptions{}); !IsEvidence(err) {
			t.Errorf("byte %d of %s: %v", at, list[1].path(), err)
		}
	}
}

// A segment that is compressed between the look at the directory and the reading is read all the same.
func TestCompressedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	l := signed(t, dir, Options{noKeeper: true, SegmentSize: 4096})
	for range 30 {
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := segments(dir)
	if err != nil || len(list) < 3 {
		t.Fatalf("%d segments, %v", len(list), err)
	}
	before := read(t, list[0].path())
	if err := list[0].compress(); err != nil {
		t.Fatal(err)
	}
	var after strings.Builder
	if err := list[0].copyTo(&after); err != nil || after.String() != before {
		t.Errorf("the content differs, %v", err)
	}
	if n, err := list[0].size(); err != nil || n == 0 {
		t.Errorf("size %d, %v", n, err)
	}
}

// Segments disappear unseen only at the beginning, where retention has put it on record.
func TestMissingSegments(t *testing.T) {
	source := t.TempDir()
	many(t, source, 60)
	list, err := segments(source)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		copied, err := segments(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(copied[i].path()); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), dir, VerifyOptions{}); !IsEvidence(err) {
			t.Errorf("without segment %d: %v", i+1, err)
		}
	}
}

const day = 24 * time.Hour

// runFor opens the log, records, has the keeper look after it has been open for some days, and closes it. wrong is by how much the clock
// of the machine is wrong.
func runFor(t *testing.T, dir string, open, wrong time.Duration) {
	t.Helper()
	running := time.Duration(0)
	l := signed(t, dir, Options{
		noKeeper: true, SegmentSize: 1000, Retention: MinRetention,
		Clock:   func() time.Time { return time.Now().Add(wrong) },
		running: func() time.Duration { return running },
	})
	for range 10 { // more than one segment
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	running = open
	(&keeper{log: l}).tidy()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is older than the retention goes, segment by segment, with a record that tells; the rest still verifies, and continues an old
// checkpoint as far as it reaches.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		runFor(t, dir, 20*day, 0) // 100 days in all
	}
	key, kept := read(t, filepath.Join(dir, "checkpoint.pub")), []byte(read(t, filepath.Join(dir, "checkpoint")))
	v, err := Verify(t.Context(), dir, VerifyOptions{Key: key})
	if err != nil || v.First < 5 || v.First > 16 { // what was recorded in the first run is 100 days old, in the second 80
		t.Fatalf("%+v, %v", v, err)
	}
	runFor(t, dir, 15*day, 0)
	after, err := Verify(t.Context(), dir, VerifyOptions{Key: key, Checkpoint: kept})
	if err != nil || after.First < v.First+5 || after.First > v.First+16 || after.Outside == 0 {
		t.Fatalf("%+v, %v", after, err)
	}
	if _, err := Open(t.TempDir(), Options{Retention: 89 * 24 * time.Hour}); err == nil {
		t.Error("less than the floor was accepted")
	}
}

// A clock that is years ahead, at the start or in between, takes nothing away; nor does it keep for ever what was recorded under it.
func TestRetentionDoesNotBelieveTheClock(t *testing.T) {
	dir := t.TempDir()
	wrong := []time.Duration{0, 3650 * day, -3650 * day, 36500 * day, 0}
	for _, w := range wrong {
		runFor(t, dir, 10*day, w)
	}
	if v, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || v.First != 1 {
		t.Fatalf("after 50 days: %+v, %v", v, err)
	}
	runFor(t, dir, 39*day, 3650*day)
	if v, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || v.First != 1 {
		t.Fatalf("after 89 days: %+v, %v", v, err)
	}
	runFor(t, dir, 60*day, 0) // the records that are 90 days old have times of the far future
	v, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || v.First < 40 {
		t.Errorf("after 149 days: %+v, %v", v, err)
	}
}

// Segments of a version that did not count the time are kept until the retention has passed since it is counted.
func TestRetentionOfUncountedSegments(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`"event":"log.segment","detail":{"open_seconds":"86400","records":"1"}}`:  day,
		`"event":"log.segment","detail":{"records":"1"}}`:                         0,
		`"event":"log.segment","detail":{"open_seconds":"-1"}}`:                   0,
		`"event":"log.segment","detail":{"open_seconds":"99999999999999999999"}}`: 0,
		`"event":"log.segment","detail":{"open_seconds":"9223372036854775807"}}`:  0,
		`"event":"command","detail":{"open_seconds":"86400"}}`:                    0,
		`"event":"log.checkpoint","detail":{"open_seconds":"x"}}`:                 0,
	} {
		if got := (head{body: []byte(body)}).openTime(); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

// The space is watched: one record when it becomes low, one when it is there again, and none in between.
func TestSpaceWatch(t *testing.T) {
	dir := t.TempDir()
	var free int64
	var heard []bool
	// There is more than this: the log's own keeper has nothing to say.
	l := signed(t, dir, Options{noKeeper: true, SpaceWarning: 800, OnSpace: func(low bool, _ int64) { heard = append(heard, low) }})
	k := keeper{log: l, free: func(string) (int64, error) { return free, nil }}
	for _, free = range []int64{1000, 799, 10, 850, 899, 901, 800} {
		k.watchSpace()
	}
	k.free = func(string) (int64, error) { return 0, syscall.EIO }
	k.watchSpace()
	k.watchSpace()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, r := range records(t, dir) {
		events = append(events, string(r.Event)+" "+r.Detail["free"])
	}
	if got := strings.Join(events, ", "); got != "log.space_low 799, log.space_ok 901, log.trouble , log.checkpoint " || len(heard) != 2 {
		t.Errorf("on record: %s; heard %v", got, heard)
	}
	if n, err := freeSpace(dir); err != nil || n <= 0 {
		t.Errorf("free: %d, %v", n, err)
	}
}

// Rotation by age needs no record to come: the interval of the checkpoints is enough.
func TestRotationByAge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(dir, Options{Key: filepath.Join(dir, "checkpoint.key"), CheckpointInterval: time.Minute, SegmentAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute) // of the bubble
		if list, err := segments(dir); err != nil || len(list) != 1 {
			t.Errorf("before its time: %v, %v", list, err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if list, err := segments(dir); err != nil || len(list) != 2 || !list[0].compressed {
			t.Errorf("after its time: %v, %v", list, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if v, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil || v.Checkpoints != 2 || v.Covered != v.Last {
		t.Errorf("%+v, %v", v, err)
	}
}

// A disk that is full when a segment is finished ends the log with an error for who waits, and leaves a log that can be continued.
func TestRotationFails(t *testing.T) {
	dir, seg := t.TempDir(), &spy{onSync: func(n int64) error {
		if n == 6 {
			return syscall.ENOSPC
		}
		return nil
	}}
	l := openSegment(t, dir, Options{SegmentSize: 1000}, seg)
	confirmed := 0
	err := l.Record(t.Context(), sample())
	for ; err == nil && confirmed < 100; confirmed++ {
		err = l.Record(t.Context(), sample())
	}
	if !errors.Is(err, syscall.ENOSPC) || !errors.Is(l.Close(), syscall.ENOSPC) {
		t.Errorf("the error is %v", err)
	}
	if err := open(t, dir).Record(t.Context(), Record{Event: GatewayStart}); err != nil {
		t.Error(err)
	}
	if got := len(records(t, dir)); got < confirmed {
		t.Errorf("%d records, %d were confirmed", got, confirmed)
	}
}
