// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memlog is a log that can be told to fail.
type memlog struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
	refuse  func(audit.Record) error // asked about each record where not nil
	after   func(audit.Record)       // told of each record where not nil
}

func (l *memlog) Accepts(string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *memlog) Record(_ context.Context, r audit.Record) error { return l.Note(r) }

func (l *memlog) Note(r audit.Record) error {
	if l.after != nil {
		defer l.after(r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.err
	if err == nil && l.refuse != nil {
		err = l.refuse(r)
	}
	if err == nil {
		l.records = append(l.records, r)
	}
	return err
}

// last is the newest record.
func (l *memlog) last(t *testing.T) audit.Record {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		t.Fatal("nothing is on record")
	}
	return l.records[len(l.records)-1]
}

type world struct {
	*gateway.Gateway
	near, far *memremote.Remote
	log       *memlog
	device    gateway.Session
}

func newWorld(t *testing.T, rules ...policy.Rule) *world {
	t.Helper()
	p, err := policy.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{near: &memremote.Remote{}, far: &memremote.Remote{}, log: &memlog{}, device: gateway.Session{
		ID: "s1", Zone: "bay", Device: "relay", Home: "/relay", Peer: netip.MustParseAddrPort("192.0.2.1:1234"),
	}}
	w.Gateway = gateway.New(gateway.Options{
		Policy: p, Remotes: map[string]gateway.Remote{"near": w.near, "far": w.far}, Log: w.log,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now,
	})
	t.Cleanup(func() {
		if n := w.near.Uploads() + w.far.Uploads(); n != 0 {
			t.Errorf("%d uploads were neither committed nor aborted", n)
		}
	})
	return w
}

func to(conduit string) policy.Delivery {
	return policy.Delivery{Conduit: conduit, Acknowledge: policy.Delivered}
}

func paths(patterns ...string) (globs []policy.Glob) {
	for _, p := range patterns {
		g, err := policy.CompileGlob(p)
		if err != nil {
			panic(err) // the test's own pattern
		}
		globs = append(globs, g)
	}
	return globs
}

func all(conduit string) policy.Rule {
	return policy.Rule{Name: "all", Reason: "test", Ops: policy.Operations(), Deliver: to(conduit)}
}

// upload carries one file to its end and returns the error of the step that failed.
func (w *world) upload(name string, src io.Reader) error {
	ctx := context.Background()
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: name, Declared: policy.SizeUnknown})
	if err != nil {
		return err
	}
	if _, err := in.Take(ctx, src); err != nil {
		in.Abort(err)
		return err
	}
	return in.Commit(ctx, gateway.Ending{})
}

func TestUpload(t *testing.T) {
	w := newWorld(t, all("far"))
	if err := w.upload("/a", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	if data, _ := w.far.Get("/relay/a"); string(data) != "hello" {
		t.Errorf("far side: %q", data)
	}
	r := w.log.last(t)
	if r.Event != audit.TransferCommitted || r.SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" ||
		*r.Bytes != 5 || r.Rule != "all" || r.Reason != "test" || r.Receipt == nil || r.Elapsed <= 0 || !r.Receipt.Atomic || r.Session != "s1" || r.Transfer == "" {
		t.Errorf("record %+v %+v", r, r.TransferFields)
	}
}

// Every byte may come alone, the end may come with the last bytes or alone: the file is the same.
func TestUploadInAnySegmentation(t *testing.T) {
	w := newWorld(t, all("far"))
	text := strings.Repeat("0123456789", 200)
	for name, src := range map[string]io.Reader{
		"/one":  iotest.OneByteReader(strings.NewReader(text)),
		"/half": iotest.HalfReader(strings.NewReader(text)),
		"/eof":  iotest.DataErrReader(strings.NewReader(text)),
	} {
		if err := w.upload(name, src); err != nil {
			t.Fatal(err)
		}
		if data, _ := w.far.Get("/relay" + name); string(data) != text {
			t.Errorf("%s: %d bytes arrived", name, len(data))
		}
	}
}

func TestUploadThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	for name, src := range map[string]io.Reader{
		"at once": iotest.ErrReader(broken),
		"later":   io.MultiReader(strings.NewReader(strings.Repeat("x", 5000)), iotest.ErrReader(broken)),
	} {
		w := newWorld(t, all("far"))
		w.far.Put("/relay/a", []byte("old"))
		if err := w.upload("/a", src); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		if data, _ := w.far.Get("/relay/a"); string(data) != "old" {
			t.Errorf("%s: the old file became %q", name, data)
		}
		if r := w.log.last(t); r.Event != audit.TransferAborted || r.Cause != "broken" || r.SHA256 != "" {
			t.Errorf("%s: record %+v", name, r)
		}
	}
}

func TestUploadCancelled(t *testing.T) {
	w := newWorld(t, all("far"))
	cause := errors.New("the device is gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if err := in.Commit(ctx, gateway.Ending{}); !errors.Is(err, cause) {
		t.Errorf("commit: %v", err)
	}
	in.Abort(errors.New("again")) // does nothing: the end is on record
	if _, ok := w.far.Get("/relay/a"); ok {
		t.Error("published")
	}
	if r := w.log.last(t); r.Event != audit.TransferAborted || r.Cause != cause.Error() {
		t.Errorf("record %+v", r)
	}
}

// Commit is not possible twice, nor without the bytes, and after it an Abort changes nothing.
func TestCommitOnce(t *testing.T) {
	w := newWorld(t, all("far"))
	ctx := context.Background()
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(ctx, gateway.Ending{}); err != nil {
		t.Fatal(err)
	}
	in.Abort(errors.New("late"))
	if err := in.Commit(ctx, gateway.Ending{}); err == nil {
		t.Error("a second Commit succeeded")
	}
	if r := w.log.last(t); r.Event != audit.TransferCommitted {
		t.Errorf("record %+v", r)
	}
	empty, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/b", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Commit(ctx, gateway.Ending{}); err == nil {
		t.Error("a Commit without a single read succeeded")
	}
}

func TestDenied(t *testing.T) {
	w := newWorld(t, policy.Rule{Name: "look", Reason: "may look", Ops: []policy.Operation{policy.List}, Deliver: to("far")})
	w.far.Fail = func(s memremote.Step, name string) error { t.Errorf("%s of %q on the far side", s, name); return nil }
	ctx, d := context.Background(), w.device
	tests := map[policy.Operation]func() error{
		policy.Upload:   func() error { return w.upload("/a", strings.NewReader("x")) },
		policy.Download: func() error { _, err := w.Send(ctx, d, gateway.DownloadRequest{Path: "/a"}); return err },
		policy.Mkdir:    func() error { return w.Mkdir(ctx, d, "/a") },
		policy.Rmdir:    func() error { return w.RemoveDir(ctx, d, "/a") },
		policy.Delete:   func() error { return w.Remove(ctx, d, "/a") },
		policy.Rename:   func() error { return w.Rename(ctx, d, "/a", "/b") },
		policy.Modify:   func() error { return w.SetModTime(ctx, d, "/a", time.Now()) },
	}
	for op, do := range tests {
		var denied *gateway.DeniedError
		if err := do(); !errors.As(err, &denied) || denied.Decision.Reason != policy.NoRule {
			t.Errorf("%s: %v", op, err)
		}
		if r := w.log.last(t); r.Event != audit.DecisionDenied || r.Op != string(op) || r.Reason != policy.NoRule {
			t.Errorf("%s: record %+v %+v", op, r, r.TransferFields)
		}
	}
}

// The size is known at the end only: what it forbids is not published, and what it would send elsewhere is refused.
func TestDecidedAgainAtTheEnd(t *testing.T) {
	upload := []policy.Operation{policy.Upload}
	t.Run("too small", func(t *testing.T) {
		w := newWorld(t, policy.Rule{Name: "big", Reason: "r", Ops: upload, MinSize: 10, Deliver: to("far")})
		var denied *gateway.DeniedError
		if err := w.upload("/a", strings.NewReader("small")); !errors.As(err, &denied) {
			t.Errorf("got %v", err)
		}
		if _, ok := w.far.Get("/relay/a"); ok {
			t.Error("published")
		}
	})
	t.Run("too large, stopped on the way", func(t *testing.T) {
		w := newWorld(t, policy.Rule{Name: "small", Reason: "r", Ops: upload, MaxSize: 10, Deliver: to("far")})
		src := strings.NewReader(strings.Repeat("x", 1<<20))
		if err := w.upload("/a", src); !errors.Is(err, gateway.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if src.Len() == 0 {
			t.Error("all of it was read")
		}
		if !slices.ContainsFunc(w.log.records, func(r audit.Record) bool {
			return r.Event == audit.DecisionDenied && r.Path == "/a" && r.Reason == policy.NoRule && *r.Bytes > 10
		}) {
			t.Errorf("the denial is not on record: %+v", w.log.records)
		}
	})
	t.Run("announced too large", func(t *testing.T) {
		w := newWorld(t, policy.Rule{Name: "small", Reason: "r", Ops: upload, MaxSize: 10, Deliver: to("far")})
		_, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: 11})
		if r := w.log.last(t); !errors.Is(err, gateway.ErrTooLarge) || r.Event != audit.DecisionDenied || *r.Bytes != 11 {
			t.Errorf("got %v, on record: %+v", err, r)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		w := newWorld(t,
			policy.Rule{Name: "small", Reason: "r", Ops: upload, MaxSize: 10, Deliver: to("near")},
			policy.Rule{Name: "big", Reason: "r", Ops: upload, MinSize: 11, Deliver: to("far")})
		if err := w.upload("/a", strings.NewReader(strings.Repeat("x", 11))); err == nil || !strings.Contains(err.Error(), "must not choose the delivery") {
			t.Errorf("got %v", err)
		}
		if err := w.upload("/b", strings.NewReader("x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("download", func(t *testing.T) {
		w := newWorld(t, policy.Rule{Name: "small", Reason: "r", Ops: []policy.Operation{policy.Download}, MaxSize: 3, Deliver: to("far")})
		w.far.Put("/relay/a", []byte("1234"))
		w.far.Put("/relay/b", []byte("123"))
		var denied *gateway.DeniedError
		if _, err := w.Send(context.Background(), w.device, gateway.DownloadRequest{Path: "/a"}); !errors.As(err, &denied) {
			t.Errorf("got %v", err)
		}
		out, err := w.Send(context.Background(), w.device, gateway.DownloadRequest{Path: "/b"})
		if err != nil {
			t.Fatal(err)
		}
		out.Abort(errors.New("enough"))
	})
}

// A policy that is replaced during a transfer does not decide about it.
func TestTransferEndsUnderItsPolicy(t *testing.T) {
	w := newWorld(t, policy.Rule{Name: "small", Reason: "r", Ops: []policy.Operation{policy.Upload}, MaxSize: 10, Deliver: to("far")})
	ctx := context.Background()
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	w.SetPolicy(new(policy.Policy))
	if _, err := in.Take(ctx, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(ctx, gateway.Ending{}); err != nil {
		t.Error(err)
	}
	var denied *gateway.DeniedError
	if err := w.upload("/b", strings.NewReader("x")); !errors.As(err, &denied) {
		t.Errorf("under the new policy: %v", err)
	}
}

// Without a record there is no success: each operation fails, temporarily, when the log does.
func TestLogFails(t *testing.T) {
	w := newWorld(t, all("far"))
	w.far.Put("/relay/a", []byte("x"))
	ctx, d := context.Background(), w.device
	in, err := w.Receive(ctx, d, gateway.UploadRequest{Op: policy.Upload, Path: "/b", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	w.log.err = syscall.ENOSPC
	for name, err := range map[string]error{
		"commit": in.Commit(ctx, gateway.Ending{}),
		"upload": w.upload("/c", strings.NewReader("x")),
		"mkdir":  w.Mkdir(ctx, d, "/d"),
		"stat":   func() error { _, err := w.Stat(ctx, d, "/a"); return err }(),
		"send":   func() error { _, err := w.Send(ctx, d, gateway.DownloadRequest{Path: "/a"}); return err }(),
	} {
		if !errors.Is(err, syscall.ENOSPC) || !gateway.IsTemporary(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDownload(t *testing.T) {
	w := newWorld(t, all("far"))
	w.far.Put("/relay/a", []byte("0123456789"))
	ctx := context.Background()
	out, err := w.Send(ctx, w.device, gateway.DownloadRequest{Path: "/a", Offset: 4})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if _, err := out.Bring(ctx, &got); err != nil {
		t.Fatal(err)
	}
	if err := out.Finish(ctx); err != nil || got.String() != "456789" {
		t.Errorf("%q, %v", got.String(), err)
	}
	if r := w.log.last(t); r.Event != audit.TransferCommitted || *r.Bytes != 6 || r.Offset != 4 {
		t.Errorf("record %+v %+v", r, r.TransferFields)
	}
	// What was not all sent is not finished.
	out, err = w.Send(ctx, w.device, gateway.DownloadRequest{Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Finish(ctx); err == nil {
		t.Error("a download without a byte sent was finished")
	}
	if r := w.log.last(t); r.Event != audit.TransferAborted {
		t.Errorf("record %+v", r)
	}
}

func TestRenameAsksForBothNames(t *testing.T) {
	ops := []policy.Operation{policy.Rename}
	w := newWorld(t,
		policy.Rule{Name: "in", Reason: "r", Ops: ops, Paths: paths("/in/**"), Deliver: to("far")},
		policy.Rule{Name: "near", Reason: "r", Ops: ops, Paths: paths("/near/**"), Deliver: to("near")})
	w.far.Put("/relay/in/a", []byte("x"))
	ctx, d := context.Background(), w.device
	var denied *gateway.DeniedError
	if err := w.Rename(ctx, d, "/in/a", "/out/a"); !errors.As(err, &denied) {
		t.Errorf("to a place that is not allowed: %v", err)
	}
	if err := w.Rename(ctx, d, "/in/a", "/near/a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("to another conduit: %v", err)
	}
	if err := w.Rename(ctx, d, "/in/a", "/in/b"); err != nil {
		t.Error(err)
	}
	if r := w.log.last(t); r.Event != audit.ChangeMade || r.Path != "/in/a" || r.To != "/in/b" {
		t.Errorf("record %+v", r.TransferFields)
	}
}

func TestEnterDirectory(t *testing.T) {
	w := newWorld(t, all("far"))
	w.far.Put("/relay/dir/x", nil)
	ctx := context.Background()
	for name, want := range map[string]error{"/": nil, "/dir": nil, "/dir/x": syscall.ENOTDIR, "/none": fs.ErrNotExist} {
		if err := w.EnterDirectory(ctx, w.device, name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	both := newWorld(t, policy.Rule{Name: "n", Reason: "r", Ops: policy.Operations(), Paths: paths("/n/**"), Deliver: to("near")}, all("far"))
	both.far.Put("/relay/f/x", nil)
	if err := both.EnterDirectory(ctx, both.device, "/f"); err != nil {
		t.Errorf("a directory on the second conduit: %v", err)
	}
	nobody := newWorld(t)
	var denied *gateway.DeniedError
	if err := nobody.EnterDirectory(ctx, nobody.device, "/dir"); !errors.As(err, &denied) {
		t.Errorf("a device without rules: %v", err)
	}
}

func TestCheckPath(t *testing.T) {
	for _, ok := range []string{"/", "/a b/c,d", "/ä/-x", "/" + strings.Repeat("x", gateway.MaxName)} {
		if err := gateway.CheckPath(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "a", "/a\x00b", "/a\nb", "/a\x7f", "/\u0085", "/\xc3\x28", "/" + strings.Repeat("x", gateway.MaxName+1),
		"/.ftpgw-1", "/a/.ftpgw-1/b", strings.Repeat("/x", gateway.MaxPath),
	} {
		if err := gateway.CheckPath(bad); !errors.Is(err, gateway.ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A change is not made that could not be put on record, and a file is not published.
func TestNothingHappensWithoutRecord(t *testing.T) {
	w := newWorld(t, all("far"))
	w.far.Put("/relay/a", []byte("old"))
	ctx, d := context.Background(), w.device
	in, err := w.Receive(ctx, d, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	w.log.err = syscall.EIO
	if err := in.Commit(ctx, gateway.Ending{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("commit: %v", err)
	}
	if err := w.Remove(ctx, d, "/a"); !errors.Is(err, syscall.EIO) {
		t.Errorf("remove: %v", err)
	}
	if err := w.Rename(ctx, d, "/a", "/b"); !errors.Is(err, syscall.EIO) {
		t.Errorf("rename: %v", err)
	}
	if data, ok := w.far.Get("/relay/a"); !ok || string(data) != "old" {
		t.Errorf("the file is %q, %v", data, ok)
	}
}

// A directory does not carry files out from under the rules about them.
func TestRenameDecidesAboutAllThatMoves(t *testing.T) {
	w := newWorld(t, policy.Rule{Name: "keys", Reason: "nobody", Deny: true, Ops: policy.Operations(), Paths: paths("/cfg/keys/**", "/out/private/**")}, all("far"))
	w.far.Put("/relay/cfg/keys/k1", []byte("secret"))
	w.far.Put("/relay/in/private/x", nil)
	w.far.Put("/relay/free/a/b", nil)
	ctx, d := context.Background(), w.device
	var denied *gateway.DeniedError
	for from, to := range map[string]string{"/cfg": "/x", "/in": "/out"} {
		if err := w.Rename(ctx, d, from, to); !errors.As(err, &denied) || denied.Decision.Rule != "keys" {
			t.Errorf("%s to %s: %v", from, to, err)
		}
	}
	if err := w.Rename(ctx, d, "/free", "/other"); err != nil {
		t.Error(err)
	}
}
