// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

func expecting(t *testing.T, x *policy.Expectation, companion, name string) policy.Rule {
	t.Helper()
	var err error
	if companion != "" {
		if x.Companion, err = policy.CompileCompanion(companion); err != nil {
			t.Fatal(err)
		}
	}
	if name != "" {
		if x.Name, err = policy.CompileNameSize(name); err != nil {
			t.Fatal(err)
		}
	}
	r := all("far")
	r.Deliver.Expect = x
	return r
}

// What a rule expects decides whether an upload is published, and is on record either way.
func TestExpect(t *testing.T) {
	bounds := &policy.Expectation{MinSize: 3, MaxSize: 5}
	for title, c := range map[string]struct {
		rule       policy.Rule
		path       string
		data       string
		companion  string // what /r.dat.size holds
		holds      string // the evidence of a committed upload
		failed     string // that of an aborted one
		failedWith error
	}{
		"between the bounds":  {rule: expecting(t, bounds, "", ""), data: "1234", holds: "fin, expect-min-size 3, expect-max-size 5"},
		"too small":           {rule: expecting(t, bounds, "", ""), data: "12", failed: "expect-min-size"},
		"too large":           {rule: expecting(t, bounds, "", ""), data: "123456", failed: "expect-max-size"},
		"much too large":      {rule: expecting(t, bounds, "", ""), data: strings.Repeat("x", 1<<20), failed: "expect-max-size"},
		"companion agrees":    {rule: expecting(t, &policy.Expectation{}, "{name}.size", ""), data: "12", companion: "2\n", holds: "fin, expect-companion 2"},
		"companion differs":   {rule: expecting(t, &policy.Expectation{}, "{name}.size", ""), data: "12", companion: "3", failed: "expect-companion"},
		"no companion":        {rule: expecting(t, &policy.Expectation{}, "{name}.size", ""), data: "12", failed: "expect-companion"},
		"companion of words":  {rule: expecting(t, &policy.Expectation{}, "{name}.size", ""), data: "12", companion: "two", failed: "expect-companion"},
		"companion is long":   {rule: expecting(t, &policy.Expectation{}, "{name}.size", ""), data: "12", companion: strings.Repeat("2", 65), failed: "expect-companion"},
		"a companion itself":  {rule: expecting(t, &policy.Expectation{MinSize: 100}, "{name}.size", ""), path: "/x.size", data: "12", holds: "fin"},
		"the name agrees":     {rule: expecting(t, &policy.Expectation{}, "", "r_(?P<size>[0-9]+)"), path: "/r_4", data: "1234", holds: "fin, expect-name 4"},
		"the name differs":    {rule: expecting(t, &policy.Expectation{}, "", "r_(?P<size>[0-9]+)"), path: "/r_4", data: "123", failed: "expect-name"},
		"the name tells none": {rule: expecting(t, &policy.Expectation{}, "", "r_(?P<size>[0-9]+)"), path: "/r", data: "1", failedWith: gateway.ErrBadName},
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t, c.rule)
			path := c.path
			if path == "" {
				path = "/r.dat"
			}
			if c.companion != "" {
				w.far.Put("/relay/r.dat.size", []byte(c.companion))
			}
			err := w.upload(path, strings.NewReader(c.data))
			data, published := w.far.Get("/relay" + path)
			if c.failedWith != nil {
				if !errors.Is(err, c.failedWith) || published {
					t.Errorf("published %t, %v", published, err)
				}
				return
			}
			r := w.log.last(t)
			if published != (c.holds != "") || published && string(data) != c.data || (err == nil) != published {
				t.Errorf("published %t, error %v", published, err)
			}
			if got := strings.Join(r.Evidence, ", "); got != c.holds || r.FailedEvidence != c.failed {
				t.Errorf("evidence %q, failed %q; %s", got, r.FailedEvidence, r.Cause)
			}
			if err != nil && !gateway.IsTemporary(err) {
				t.Errorf("%v is not temporary", err)
			}
		})
	}
}

// What cannot be read is no evidence against the file, but there is no evidence for it either.
func TestCompanionCannotBeRead(t *testing.T) {
	w := newWorld(t, expecting(t, &policy.Expectation{}, "{name}.size", ""))
	w.far.Put("/relay/a.size", []byte("1"))
	broken := errors.New("connection lost")
	w.far.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Read {
			return broken
		}
		return nil
	}
	if err := w.upload("/a", strings.NewReader("x")); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, ok := w.far.Get("/relay/a"); ok {
		t.Error("published")
	}
}

// A rule may want what has come of an incomplete file to be kept, whenever it turns out to be incomplete.
func TestIncompleteIsKept(t *testing.T) {
	rule := expecting(t, &policy.Expectation{MinSize: 3}, "", "")
	rule.Deliver.Incomplete = policy.KeepIncomplete
	gone := &gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "the device has gone"}
	cut := &gateway.EvidenceError{Failed: gateway.Fin, Reason: "reset"}
	for title, c := range map[string]struct {
		src    io.Reader
		ending gateway.Ending
		want   string
	}{
		"not as expected":   {src: strings.NewReader("ab"), want: "ab"},
		"broken off":        {src: io.MultiReader(strings.NewReader("abcd"), failing{cut}), want: "abcd"},
		"gone at the end":   {src: strings.NewReader("abcde"), ending: gateway.Ending{Present: func() error { return gone }}, want: "abcde"},
		"nothing has come":  {src: strings.NewReader("")},
		"denied by content": {src: io.MultiReader(strings.NewReader("abcd"), failing{errors.New("no evidence of anything")})},
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t, rule)
			w.far.Put("/relay/d/a", []byte("old"))
			ctx := context.Background()
			in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/d/a", Declared: policy.SizeUnknown})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := in.Take(ctx, c.src); err != nil {
				in.Abort(err)
			} else if err := in.Commit(ctx, c.ending); err == nil {
				t.Error("committed")
			}
			r := w.log.last(t)
			if r.Event != audit.TransferAborted {
				t.Fatalf("%+v", r)
			}
			if old, _ := w.far.Get("/relay/d/a"); string(old) != "old" {
				t.Errorf("the final name has %q", old)
			}
			if c.want == "" {
				if r.To != "" || r.Receipt != nil {
					t.Errorf("kept: %+v", r.TransferFields)
				}
				return
			}
			kept, ok := w.far.Get("/relay" + r.To)
			if !ok || string(kept) != c.want || r.To != "/d/a.partial-"+r.Transfer || r.Receipt == nil || r.Receipt.Bytes != int64(len(c.want)) {
				t.Errorf("kept %q (%t): %+v", kept, ok, r.TransferFields)
			}
		})
	}
}

// The name of what is kept is one that can be used, however long the file's own is.
func TestKeptUnderALongName(t *testing.T) {
	rule := all("far")
	rule.Deliver.Incomplete = policy.KeepIncomplete
	for _, name := range []string{strings.Repeat("x", gateway.MaxName), strings.Repeat("ü", gateway.MaxName/2), strings.Repeat("€", gateway.MaxName/3)} {
		w := newWorld(t, rule)
		cut := &gateway.EvidenceError{Failed: gateway.Fin, Reason: "reset"}
		if err := w.upload("/"+name, io.MultiReader(strings.NewReader("abcd"), failing{cut})); err == nil {
			t.Error("committed")
		}
		r := w.log.last(t)
		if _, ok := w.far.Get("/relay" + r.To); !ok || gateway.CheckPath(r.To) != nil {
			t.Errorf("kept as %q: %t, %v", r.To, ok, gateway.CheckPath(r.To))
		}
	}
}

// failing is a connection that breaks.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A cancelled transfer whose rule keeps what has come is kept as well: what interrupts the device does not interrupt that.
func TestKeptWhenCancelledInTheSettleTime(t *testing.T) {
	rule := all("far")
	rule.Deliver.Incomplete = policy.KeepIncomplete
	w := newWorld(t, rule)
	ctx, cancel := context.WithCancelCause(context.Background())
	in, err := w.Receive(ctx, w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/a", Declared: policy.SizeUnknown})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(ctx, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	gone := &gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "the device has gone"}
	w.far.Fail = func(s memremote.Step, _ string) error {
		if s == memremote.Commit {
			cancel(gone)
		}
		return nil
	}
	if err := in.Commit(ctx, gateway.Ending{Settle: 24 * time.Hour}); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	r := w.log.last(t)
	if kept, _ := w.far.Get("/relay" + r.To); string(kept) != "abc" || r.FailedEvidence != "control-alive" {
		t.Errorf("kept %q: %+v", kept, r.TransferFields)
	}
}
