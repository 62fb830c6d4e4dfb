// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"slices"
	"testing"

	"github.com/ftpgw/ftpgw/policy"
)

// The limits of a decision are those of the device and of the rule that decides; while several could, only the bandwidth of the first.
func TestBounds(t *testing.T) {
	cc := policy.Delivery{Conduit: "c", Acknowledge: policy.Delivered}
	moves := []policy.Operation{policy.Upload, policy.Download, policy.List}
	own := &policy.Limits{Concurrent: 2}
	small := &policy.Limits{FilesPerHour: 5, MaxFile: 800, Bandwidth: 1000}
	shared := &policy.Limits{BytesPerDay: 10_000, Shared: true}
	p, err := policy.New([]policy.Rule{
		{Name: "small", Reason: "r", Ops: moves, Paths: globs(t, "/both/**", "/small/**"), MaxSize: 1000, Limits: small, Deliver: cc},
		{Name: "shared", Reason: "r", Ops: moves, Paths: globs(t, "/both/**", "/shared/**"), MaxSize: 5000, Limits: shared, Deliver: cc},
		{Name: "none", Reason: "r", Ops: moves, Paths: globs(t, "/none/**"), Deliver: cc},
	}, policy.Device{Name: "relay", Limits: own}, policy.Device{Name: "meter"})
	if err != nil {
		t.Fatal(err)
	}
	device := policy.Bound{Limits: *own, Device: "relay"}
	for _, tt := range []struct {
		name, device, path string
		op                 policy.Operation
		size               int64
		want               []policy.Bound
		maxSize            int64
	}{
		{"the only rule, from the start", "relay", "/small/a", policy.Upload, policy.SizeUnknown, []policy.Bound{device, {Limits: *small, Rule: "small", Device: "relay"}}, 1000},
		{"the rule that decides", "relay", "/both/a", policy.Upload, 1001, []policy.Bound{device, {Limits: *shared, Rule: "shared"}}, 5000},
		{"one of two", "relay", "/both/a", policy.Upload, policy.SizeUnknown, []policy.Bound{device, {Limits: policy.Limits{Bandwidth: 1000}, Rule: "small", Device: "relay"}}, 5000},
		{"a device without limits", "meter", "/shared/a", policy.Download, 1, []policy.Bound{{Limits: *shared, Rule: "shared"}}, 5000},
		{"a rule without limits", "relay", "/none/a", policy.Upload, 1, []policy.Bound{device}, 0},
		{"neither", "meter", "/none/a", policy.Upload, 1, nil, 0},
		{"no transfer", "relay", "/small/a", policy.List, policy.SizeUnknown, nil, 0},
		{"denied", "relay", "/elsewhere", policy.Upload, 1, nil, 0},
	} {
		d := p.Decide(policy.Question{Device: tt.device, Op: tt.op, Path: tt.path, Size: tt.size, Declared: policy.SizeUnknown})
		if got := d.Bounds(tt.device); !slices.Equal(got, tt.want) || d.MaxSize != tt.maxSize {
			t.Errorf("%s: %+v, at most %d bytes", tt.name, got, d.MaxSize)
		}
	}
	if b, ok := p.BoundOf("shared", "meter"); !ok || b.Key() != "rule/shared" {
		t.Errorf("%+v %v", b, ok)
	}
	if _, ok := p.BoundOf("none", "meter"); ok {
		t.Error("a rule without limits has a bound")
	}
}

// Different bounds have different keys.
func TestBoundKeys(t *testing.T) {
	bounds := []policy.Bound{{Device: "a"}, {Rule: "a"}, {Rule: "a", Device: "b"}, {Rule: "b", Device: "a"}, {Rule: "device", Device: "a"}}
	keys := map[string]bool{}
	for _, b := range bounds {
		keys[b.Key()] = true
	}
	if len(keys) != len(bounds) {
		t.Errorf("%v", keys)
	}
}
