// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// limitedWorld is a world that counts in dir, for a device with limits of its own under these rules.
func limitedWorld(t *testing.T, dir string, own *policy.Limits, rules ...policy.Rule) *world {
	t.Helper()
	w := newWorld(t)
	p, err := policy.New(rules, policy.Device{Name: "relay", Limits: own})
	if err != nil {
		t.Fatal(err)
	}
	store, _, err := quota.Open(dir, quota.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // a test may have taken its directory away
	w.Gateway = gateway.New(gateway.Options{Policy: p, Remotes: map[string]gateway.Remote{"far": w.far}, Log: w.log,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, Quota: store})
	return w
}

func rule(name string, l *policy.Limits) policy.Rule {
	r := all("far")
	r.Name, r.Limits = name, l
	return r
}

// usage is what is used of a limit, summed over all that it is counted for.
func (w *world) usage(l policy.Limit) (n int64) {
	for _, u := range w.Usage() {
		if u.Limit == l {
			n += u.Used
		}
	}
	return n
}

func (w *world) download(name string, to io.Writer) error {
	ctx := context.Background()
	out, err := w.Send(ctx, w.device, gateway.DownloadRequest{Path: name})
	if err != nil {
		return err
	}
	if _, err := out.Bring(ctx, to); err != nil {
		out.Abort(err)
		return err
	}
	return out.Finish(ctx)
}

// A refusal is on record with the rule, its reason, and what is used of what.
func TestLimitIsOnRecord(t *testing.T) {
	w := limitedWorld(t, t.TempDir(), &policy.Limits{FilesPerHour: 1}, rule("all", nil))
	if err := w.upload("/a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	var limit *gateway.LimitError
	if err := w.upload("/b", strings.NewReader("x")); !errors.As(err, &limit) || !gateway.IsTemporary(err) || limit.Op != policy.Upload {
		t.Errorf("the second file: %v", err)
	}
	r := w.log.last(t)
	if r.Event != audit.DecisionDenied || r.Rule != "all" || r.Reason != "test" || r.Path != "/b" || r.Detail["limit"] != "files_per_hour" ||
		r.Detail["of"] != `device "relay"` || r.Detail["used"] != "1" || r.Detail["allowed"] != "1" || r.Detail["free_in"] == "" {
		t.Errorf("record %+v %+v", r, r.TransferFields)
	}
}

// A file that was not published is not counted, however it ended; what was sent to a device always is.
func TestOnlyWhatMovedCounts(t *testing.T) {
	w := limitedWorld(t, t.TempDir(), nil, rule("all", &policy.Limits{FilesPerHour: 100, BytesPerDay: 1 << 20, Concurrent: 1}))
	gone := errors.New("gone")
	want := func(step string, files, bytes int64) {
		t.Helper()
		if f, b, c := w.usage(policy.FilesPerHour), w.usage(policy.BytesPerDay), w.usage(policy.Concurrent); f != files || b != bytes || c != 0 {
			t.Errorf("%s: %d files and %d bytes are used, want %d and %d; %d run", step, f, b, files, bytes, c)
		}
	}
	if err := w.upload("/a", io.MultiReader(strings.NewReader(strings.Repeat("x", 5000)), iotest.ErrReader(gone))); !errors.Is(err, gone) {
		t.Error(err)
	}
	want("broken off", 0, 0)
	w.far.Fail = failAt("commit", gone)
	if err := w.upload("/a", strings.NewReader("hello")); !errors.Is(err, gone) {
		t.Error(err)
	}
	want("not committed", 0, 0)
	w.far.Fail = nil
	w.log.err = gone
	if err := w.upload("/a", strings.NewReader("hello")); !errors.Is(err, gone) {
		t.Error(err)
	}
	w.log.err = nil
	want("not on record", 0, 0)
	if err := w.upload("/a", strings.NewReader(strings.Repeat("x", 5000))); err != nil {
		t.Error(err)
	}
	want("uploaded", 1, 5000)
	if err := w.download("/a", io.Discard); err != nil {
		t.Error(err)
	}
	want("downloaded", 2, 10000)
	if err := w.download("/a", &failingWriter{left: 2000, err: gone}); !errors.Is(err, gone) {
		t.Error(err)
	}
	want("downloaded in part", 3, 12000)
	if err := w.download("/a", &failingWriter{err: gone}); !errors.Is(err, gone) {
		t.Error(err)
	}
	want("nothing downloaded", 3, 12000)
	if err := w.download("/missing", io.Discard); err == nil {
		t.Error("a file that is not there")
	}
	want("nothing there", 3, 12000)
}

// failingWriter takes so many bytes.
type failingWriter struct {
	left int
	err  error
}

func (f *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	if f.left -= n; n < len(p) {
		return n, f.err
	}
	return n, nil
}

// While more than one rule could decide, nothing is refused in the name of the first; when the size is known, the limits of the rule that
// decides hold, and count.
func TestLimitsOfTheRuleThatDecides(t *testing.T) {
	small, large := rule("small", &policy.Limits{FilesPerHour: 1}), rule("large", &policy.Limits{BytesPerDay: 25_000})
	small.MaxSize = 1000
	w := limitedWorld(t, t.TempDir(), nil, small, large)
	for _, tt := range []struct {
		size  int
		limit policy.Limit // empty for what is allowed
	}{{10, ""}, {10, policy.FilesPerHour}, {20_000, ""}, {5_001, policy.BytesPerDay}, {5_000, ""}} {
		err := w.upload("/f", strings.NewReader(strings.Repeat("x", tt.size)))
		var limit *gateway.LimitError
		if errors.As(err, &limit); tt.limit == "" && err != nil || tt.limit != "" && (limit == nil || limit.Limit != tt.limit) {
			t.Errorf("%d bytes: %v", tt.size, err)
		}
	}
	if f, b := w.usage(policy.FilesPerHour), w.usage(policy.BytesPerDay); f != 1 || b != 25_000 {
		t.Errorf("%d files and %d bytes are used", f, b)
	}
}

// The only rule that could decide refuses before anything is sent.
func TestLimitsOfTheOnlyRule(t *testing.T) {
	only := rule("only", &policy.Limits{FilesPerHour: 1, MaxFile: 500})
	only.MaxSize = 1000
	w := limitedWorld(t, t.TempDir(), nil, only)
	var limit *gateway.LimitError
	if err := w.upload("/a", strings.NewReader(strings.Repeat("x", 501))); !errors.As(err, &limit) || limit.Limit != policy.MaxFile || !limit.Permanent {
		t.Errorf("501 bytes: %v", err)
	}
	if err := w.upload("/a", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	unread := readFunc(func([]byte) (int, error) { t.Error("the device was read from"); return 0, io.EOF })
	if err := w.upload("/a", unread); !errors.As(err, &limit) || limit.Limit != policy.FilesPerHour {
		t.Errorf("the second: %v", err)
	}
}

// What cannot be counted does not move; an unlimited transfer does.
func TestCountsCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "quota")
	limits := rule("limited", &policy.Limits{FilesPerHour: 10})
	limits.Ops = []policy.Operation{policy.Upload, policy.Append}
	w := limitedWorld(t, dir, nil, limits, rule("rest", nil))
	if err := w.upload("/a", strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.upload("/a", strings.NewReader("new")); err == nil || !gateway.IsTemporary(err) {
			t.Errorf("upload: %v", err)
		}
		if r := w.log.last(t); r.Event != audit.TransferAborted || !strings.Contains(r.Cause, "counts of limits") {
			t.Errorf("record %+v", r)
		}
	}
	if data, _ := w.far.Get("/relay/a"); string(data) != "old" {
		t.Errorf("the far side has %q", data)
	}
	if err := w.download("/a", io.Discard); err != nil {
		t.Errorf("download: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	eventually := errors.New("not yet")
	for range 3 { // the first may still hear of the trouble
		eventually = w.upload("/a", strings.NewReader("new"))
	}
	if eventually != nil {
		t.Errorf("when it can be written again: %v", eventually)
	}
	if n := w.usage(policy.FilesPerHour); n < 2 || n > 4 {
		t.Errorf("%d files are counted", n)
	}
}

// A gateway that does not count refuses what is limited.
func TestNothingToCountWith(t *testing.T) {
	w := newWorld(t, rule("all", &policy.Limits{FilesPerHour: 1}))
	if err := w.upload("/a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "does not count") {
		t.Errorf("upload: %v", err)
	}
	w.far.Put("/relay/b", []byte("x"))
	if err := w.download("/b", io.Discard); err == nil || !strings.Contains(err.Error(), "does not count") {
		t.Errorf("download: %v", err)
	}
}

// What is kept of an incomplete file has crossed, and counts.
func TestKeptAsideCounts(t *testing.T) {
	r := rule("all", &policy.Limits{FilesPerHour: 1})
	r.Deliver.Incomplete = policy.KeepIncomplete
	w := limitedWorld(t, t.TempDir(), nil, r)
	lost := &gateway.EvidenceError{Failed: gateway.Fin, Reason: "lost"}
	if err := w.upload("/a", io.MultiReader(strings.NewReader(strings.Repeat("x", 2000)), iotest.ErrReader(lost))); !errors.Is(err, lost) {
		t.Error(err)
	}
	if rec := w.log.last(t); rec.Receipt == nil {
		t.Fatalf("nothing was kept: %+v", rec)
	}
	if n := w.usage(policy.FilesPerHour); n != 1 {
		t.Errorf("%d files are counted", n)
	}
}

// In virtual time: a transfer takes as long as its bandwidth says, in both directions, and ends at once when it is interrupted.
func TestBandwidthOfTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := limitedWorld(t, t.TempDir(), &policy.Limits{Bandwidth: 10_000}, rule("all", nil))
		const size, least = 100_000, (100_000 - 10_000/4) * time.Second / 10_000
		begun := time.Now()
		if err := w.upload("/a", strings.NewReader(strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < least || d > least+2*time.Second {
			t.Errorf("the upload took %v, want %v", d, least)
		}
		begun = time.Now()
		if err := w.download("/a", io.Discard); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < least || d > least+2*time.Second {
			t.Errorf("the download took %v, want %v", d, least)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(gone) })
		in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/b", Declared: policy.SizeUnknown})
		if err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		_, err = in.Take(ctx, strings.NewReader(strings.Repeat("x", size)))
		if d := time.Since(begun); !errors.Is(err, gone) || d != 1500*time.Millisecond {
			t.Errorf("interrupted after %v: %v", d, err)
		}
		in.Abort(err)
		out, err := w.Send(context.Background(), w.device, gateway.DownloadRequest{Path: "/a"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Bring(ctx, io.Discard); !errors.Is(err, gone) {
			t.Errorf("a download: %v", err)
		}
		out.Abort(gone)
	})
}

// failAt fails one step of the far side.
func failAt(step memremote.Step, err error) func(memremote.Step, string) error {
	return func(s memremote.Step, _ string) error {
		if s == step {
			return err
		}
		return nil
	}
}

// A rule's bandwidth is that of the way across: a file that is acknowledged when it is spooled comes in at once and is slowed on its way out.
func TestBandwidthOfDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := spooled("far")
		r.Limits = &policy.Limits{Bandwidth: 10_000}
		store, _, err := quota.Open(t.TempDir(), quota.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, r, store)
		begun := time.Now()
		if err := s.upload("/a", strings.NewReader(strings.Repeat("x", 100_000))); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("the upload took %v", d)
		}
		stop := s.run(t)
		defer stop()
		until(t, "delivered", s.empty)
		if d, least := time.Since(begun), (100_000-10_000/4)*time.Second/10_000; d < least || d > least+2*time.Second {
			t.Errorf("the delivery took %v, want %v", d, least)
		}
	})
}
