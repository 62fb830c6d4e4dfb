// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
)

// readFunc is a reader that does something when it is read.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// windowed is a world whose only rule is open from eight to nine, at half past eight. The clock is the test's.
func windowed(t *testing.T, cutOff bool) (*world, *atomic.Pointer[time.Time]) {
	t.Helper()
	w := newWorld(t)
	rule := all("far")
	rule.Window = &policy.Window{Between: []policy.Span{{From: 8 * 60, To: 9 * 60}}, Location: time.UTC, CutOff: cutOff}
	p, err := policy.New([]policy.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	var clock atomic.Pointer[time.Time]
	half := time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)
	clock.Store(&half)
	w.Gateway = gateway.New(gateway.Options{Policy: p, Remotes: map[string]gateway.Remote{"far": w.far}, Log: w.log,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return *clock.Load() }})
	return w, &clock
}

// A window that closes during an upload lets it end, or breaks it off: as the rule says, and nothing is published then.
func TestWindowClosesDuringUpload(t *testing.T) {
	for _, cutOff := range []bool{false, true} {
		w, clock := windowed(t, cutOff)
		closing := readFunc(func([]byte) (int, error) {
			later := clock.Load().Add(time.Hour)
			clock.Store(&later)
			return 0, io.EOF
		})
		err := w.upload("/a", io.MultiReader(strings.NewReader(strings.Repeat("x", 2000)), closing))
		_, there := w.far.Get("/relay/a")
		if cutOff != errors.Is(err, fs.ErrPermission) || !cutOff && err != nil || there == cutOff {
			t.Errorf("abort %v: error %v, published %v", cutOff, err, there)
		}
		if r := w.log.last(t); cutOff != (r.Event == audit.TransferAborted) || r.Rule != "all" {
			t.Errorf("abort %v: record %+v", cutOff, r)
		}
		if err := w.upload("/b", strings.NewReader("x")); !errors.As(err, new(*gateway.DeniedError)) {
			t.Errorf("an upload after the window: %v", err)
		}
	}
}

// A download is broken off while it runs: what the device has not got yet it does not get.
func TestWindowClosesDuringDownload(t *testing.T) {
	for _, cutOff := range []bool{false, true} {
		w, clock := windowed(t, cutOff)
		if err := w.upload("/a", strings.NewReader("hello")); err != nil {
			t.Fatal(err)
		}
		out, err := w.Send(context.Background(), w.device, gateway.DownloadRequest{Path: "/a"})
		if err != nil {
			t.Fatal(err)
		}
		later := clock.Load().Add(time.Hour)
		clock.Store(&later)
		var got strings.Builder
		_, err = out.Bring(context.Background(), &got)
		out.Abort(err)
		if cutOff != errors.Is(err, fs.ErrPermission) || cutOff != (got.Len() == 0) {
			t.Errorf("abort %v: error %v after %d bytes", cutOff, err, got.Len())
		}
	}
}
