// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// keeping is a world whose rules keep what is not whole.
func keeping(t *testing.T, rules ...policy.Rule) *world {
	t.Helper()
	rules[0].Deliver.Incomplete = policy.KeepIncomplete
	return newWorld(t, rules...)
}

// nothingCrossed fails where anything has been published below a home.
func (w *world) nothingCrossed(t *testing.T) {
	t.Helper()
	w.far.Fail = nil
	entries, err := w.far.ReadDir(context.Background(), gateway.Location{Home: "/relay", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s has crossed", e.Name())
	}
}

func brokenOff() error { return &gateway.EvidenceError{Failed: gateway.Fin, Reason: "reset"} }

// What is kept crosses as well: not without a record of it, and only for a device that broke off, not for one that was removed.
func TestNothingIsKeptUnrecorded(t *testing.T) {
	ctx := context.Background()
	t.Run("the log fails before the rename", func(t *testing.T) {
		w := keeping(t, all("far"))
		in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(ctx, strings.NewReader("whole")); err != nil {
			t.Fatal(err)
		}
		w.log.err = syscall.ENOSPC
		if err := in.Commit(ctx, gateway.Ending{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("commit: %v", err)
		}
		w.nothingCrossed(t)
	})
	t.Run("the log fails and the device breaks off", func(t *testing.T) {
		w := keeping(t, all("far"))
		cut := readFunc(func([]byte) (int, error) { w.log.err = syscall.ENOSPC; return 0, brokenOff() })
		if err := w.upload("/b", io.MultiReader(strings.NewReader("abcd"), cut)); err == nil {
			t.Error("no error")
		}
		w.nothingCrossed(t)
	})
	t.Run("the device is removed", func(t *testing.T) {
		w := keeping(t, all("far"))
		ctx, cancel := context.WithCancelCause(ctx)
		in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(ctx, strings.NewReader("abc")); err != nil {
			t.Fatal(err)
		}
		w.far.Fail = func(s memremote.Step, _ string) error {
			if s == memremote.Commit {
				cancel(errors.New("the device was removed"))
			}
			return nil
		}
		if err := in.Commit(ctx, gateway.Ending{}); err == nil {
			t.Error("no error")
		}
		w.nothingCrossed(t)
	})
}

// What is kept is decided with the size that it has, by the rule that allows that size and keeps it, and never past an inspection.
func TestNothingIsKeptUndecided(t *testing.T) {
	up := []policy.Operation{policy.Upload}
	big := policy.Rule{Name: "big", Reason: "r", Ops: up, MinSize: 1000, Deliver: to("far")}
	w := keeping(t, big)
	if err := w.upload("/b", io.MultiReader(strings.NewReader("abcd"), failing{brokenOff()})); err == nil {
		t.Error("no error")
	}
	w.nothingCrossed(t)

	inspected := policy.Rule{Name: "inspected", Reason: "r", Ops: up, Deliver: to("far"), Content: &policy.Content{Types: []string{"comtrade"}}}
	w = keeping(t, big, inspected)
	if err := w.upload("/b", io.MultiReader(strings.NewReader("\x7fELF"+strings.Repeat("\x00", 200)), failing{brokenOff()})); err == nil {
		t.Error("no error")
	}
	w.nothingCrossed(t)
}

// The window that counts is that of the rule which allows in the end.
func TestWindowOfTheRuleThatAllowsInTheEnd(t *testing.T) {
	up := []policy.Operation{policy.Upload}
	p, err := policy.New([]policy.Rule{
		{Name: "small", Reason: "r", Ops: up, MaxSize: 10, Deliver: to("far")},
		{Name: "day", Reason: "r", Ops: up, MinSize: 11, Deliver: to("far"),
			Window: &policy.Window{Between: []policy.Span{{From: 8 * 60, To: 9 * 60}}, Location: time.UTC, CutOff: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	var clock atomic.Pointer[time.Time]
	half := time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)
	clock.Store(&half)
	w.Gateway = gateway.New(gateway.Options{Policy: p, Remotes: map[string]gateway.Remote{"far": w.far}, Log: w.log,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return *clock.Load() }})
	closing := readFunc(func([]byte) (int, error) {
		later := half.Add(time.Hour)
		clock.Store(&later)
		return 0, io.EOF
	})
	if err := w.upload("/a", io.MultiReader(strings.NewReader(strings.Repeat("x", 2000)), closing)); err == nil {
		t.Errorf("committed by rule %q, whose window has closed", w.log.last(t).Rule)
	}
}

// A window that closes while the file is flushed has closed before it appears.
func TestWindowClosesDuringCommit(t *testing.T) {
	w, clock := windowed(t, true)
	ctx := context.Background()
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	w.far.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Commit {
			later := clock.Load().Add(time.Hour)
			clock.Store(&later)
		}
		return nil
	}
	if err := in.Commit(ctx, gateway.Ending{}); err == nil {
		t.Error("published after the window had closed")
	}
}

// A name like a companion's does not lift the bound on sizes.
func TestCompanionsAreBounded(t *testing.T) {
	c, err := policy.CompileCompanion("{name}.size")
	if err != nil {
		t.Fatal(err)
	}
	rule := all("far")
	rule.Deliver.Expect = &policy.Expectation{Companion: c, MaxSize: 10}
	w := newWorld(t, rule)
	if err := w.upload("/a.size", strings.NewReader(strings.Repeat("x", 100))); err == nil {
		t.Error("no error")
	}
}

// Names that are equal in Unicode's form NFC do not become one file by a rule's path.
func TestPathsKeepNamesApart(t *testing.T) {
	const text = `"/in/${file.name}"`
	expr, diags := hclsyntax.ParseExpression([]byte(text), "path", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	rule := all("far")
	if rule.PathTemplate, diags = policy.NewLanguage(nil).CompileTemplate(expr, text); diags.HasErrors() {
		t.Fatal(diags)
	}
	w := newWorld(t, rule)
	if err := w.upload("/\u00e9.dat", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	var denied *gateway.DeniedError
	if err := w.upload("/e\u0301.dat", strings.NewReader("y")); !errors.As(err, &denied) {
		t.Errorf("got %v", err)
	}
}
