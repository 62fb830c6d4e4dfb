// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// On an island nothing reaches a conduit, whatever is asked for, and everything says to try again.
func TestIslandReachesNothing(t *testing.T) {
	w := newWorld(t, all("far"))
	w.far.Put("/relay/old", []byte("old"))
	reached := false
	w.far.Fail = func(memremote.Step, string) error { reached = true; return nil }
	w.Isolate()
	ctx := t.Context()
	_, lookErr := w.Stat(ctx, w.device, "/old")
	_, _, listErr := w.ReadDir(ctx, w.device, "/")
	_, sendErr := w.Send(ctx, w.device, gateway.DownloadRequest{Path: "/old"})
	for what, err := range map[string]error{
		"upload": w.upload("/new", strings.NewReader("new")), "download": sendErr, "stat": lookErr, "list": listErr,
		"mkdir": w.Mkdir(ctx, w.device, "/d"), "remove": w.Remove(ctx, w.device, "/old"), "rmdir": w.RemoveDir(ctx, w.device, "/d"),
		"rename": w.Rename(ctx, w.device, "/old", "/new"), "mfmt": w.SetModTime(ctx, w.device, "/old", time.Now()),
		"chmod": w.Chmod(ctx, w.device, "/old", fs.FileMode(0o600)), "cwd": w.EnterDirectory(ctx, w.device, "/d"), "login": w.Reachable(ctx, w.device),
	} {
		if !errors.Is(err, gateway.ErrIsland) || !gateway.IsTemporary(err) {
			t.Errorf("%s: %v, want a temporary ErrIsland", what, err)
		}
	}
	if reached {
		t.Error("something reached the conduit")
	}
	w.Reconnect()
	if err := w.upload("/new", strings.NewReader("new")); err != nil {
		t.Errorf("after the island: %v", err)
	}
}

// Transfers that are under way are broken off: of an upload nothing is published, of a download no more bytes come.
func TestIslandBreaksTransfersOff(t *testing.T) {
	w := newWorld(t, all("far"))
	in, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/new", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	halfway := readerFunc(func(p []byte) (int, error) { w.Isolate(); return copy(p, "second half"), io.EOF })
	_, err = in.Take(t.Context(), io.MultiReader(strings.NewReader("first half"), halfway))
	if !errors.Is(err, gateway.ErrIsland) {
		t.Errorf("Take: %v", err)
	}
	in.Abort(err)
	if r := w.log.last(t); r.Event != audit.TransferAborted || r.Cause != gateway.ErrIsland.Error() {
		t.Errorf("on record: %+v", r)
	}
	w.Reconnect()
	w.far.Put("/relay/big", make([]byte, 1<<20))
	out, err := w.Send(t.Context(), w.device, gateway.DownloadRequest{Path: "/big"})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	n, err := out.Bring(t.Context(), writerFunc(func(p []byte) (int, error) { w.Isolate(); return got.Write(p) }))
	if !errors.Is(err, gateway.ErrIsland) || n == 1<<20 {
		t.Errorf("Bring: %d bytes, %v", n, err)
	}
	out.Abort(err)
	if err := w.AwaitCalm(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok := w.far.Get("/relay/new"); ok {
		t.Error("the upload was published")
	}
}

// The island is asked behind everything else that is asked before a file appears, and no evidence lets one cross under another name.
func TestIslandIsAskedLast(t *testing.T) {
	keep := all("far")
	keep.Deliver.Incomplete = policy.KeepIncomplete
	w := newWorld(t, keep)
	for _, present := range []error{nil, &gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "gone"}} {
		w.Reconnect()
		in, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/new", Declared: policy.SizeUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(t.Context(), strings.NewReader("data")); err != nil {
			t.Fatal(err)
		}
		err = in.Commit(t.Context(), gateway.Ending{Present: func() error { w.Isolate(); return present }})
		if !errors.Is(err, gateway.ErrIsland) {
			t.Errorf("Commit: %v", err)
		}
		w.Reconnect()
		if _, list, err := w.ReadDir(t.Context(), w.device, "/"); err != nil || !list {
			t.Fatal(err)
		}
		if entries, _, _ := w.ReadDir(t.Context(), w.device, "/"); len(entries) > 0 {
			t.Errorf("on the far side: %v", entries)
		}
	}
}

// A file that is past the last question when the island begins may come to its name, and then the island is not complete before.
func TestIslandWaitsForWhatIsPastTheGate(t *testing.T) {
	w := newWorld(t, all("far"))
	publishing, proceed := make(chan struct{}), make(chan struct{})
	w.far.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Publish {
			close(publishing)
			<-proceed
		}
		return nil
	}
	uploaded := make(chan error, 1)
	go func() { uploaded <- w.upload("/new", strings.NewReader("data")) }()
	<-publishing
	w.Isolate()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.AwaitStill(over); err == nil {
		t.Error("nothing is said to cross while a file is about to appear")
	}
	still := make(chan error, 1)
	go func() { still <- w.AwaitStill(context.Background()) }()
	close(proceed)
	if err := <-still; err != nil {
		t.Error(err)
	}
	if _, ok := w.far.Get("/relay/new"); !ok {
		t.Error("the island was complete before the file that was past the gate had come to its name")
	}
	if err := <-uploaded; err != nil {
		t.Error(err)
	}
}

// What is held in the spool waits there while the gateway is an island, and devices may go on to put files into it. Afterwards all of it
// is delivered.
func TestIslandHoldsTheSpool(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	var reached atomic.Bool
	s.failWith(func(memremote.Step, string) error { reached.Store(true); return nil })
	stop := s.run(t)
	s.Isolate()
	if err := s.upload("/held", strings.NewReader("held")); err != nil {
		t.Fatalf("an upload into the spool: %v", err)
	}
	until(t, "it was tried", func() bool { return len(s.log.events(audit.SpoolSuspended)) == 1 })
	if err := s.AwaitCalm(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if reached.Load() {
		t.Error("the conduit was reached")
	}
	if s.empty() {
		t.Error("nothing is held")
	}
	s.Reconnect()
	defer s.run(t)()
	until(t, "the spool is empty", s.empty)
	if data, _ := s.far.Get("/relay/held"); string(data) != "held" {
		t.Errorf("far side: %q", data)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
