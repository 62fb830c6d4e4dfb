// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit names one bound on how much is moved. The names are those of the configuration and of the records.
type Limit string

// The limits. A file is one transfer that counts; bytes are the file's, whatever its form on the wire.
const (
	MaxFile      Limit = "max_file"
	FilesPerHour Limit = "files_per_hour"
	BytesPerDay  Limit = "bytes_per_day"
	Bandwidth    Limit = "bandwidth"
	Concurrent   Limit = "concurrent"
)

// Limits are how much may be moved by uploads, appends and downloads together. A bound of 0 is none. They are no conditions: what
// goes beyond one is refused (or slowed) under the rule that decided, and no later rule is asked. Counting is not done here.
type Limits struct {
	MaxFile      int64 // bytes of one file as it is published, or as it lies on the far side
	FilesPerHour int64 // files in any 60 minutes
	BytesPerDay  int64 // bytes moved in any 24 hours
	Bandwidth    int64 // bytes per second
	Concurrent   int64 // transfers at a time
	Shared       bool  // a rule's: all its devices together, and not each of them
}

// SizeText is a number of bytes for people, exactly: in the largest binary unit of which it is a whole number.
func SizeText(n int64) string {
	units := []string{" bytes", "KiB", "MiB", "GiB", "TiB"}
	for n != 0 && n%1024 == 0 && len(units) > 1 {
		n, units = n/1024, units[1:]
	}
	return strconv.FormatInt(n, 10) + units[0]
}

// String is the limits in the words of the configuration.
func (l *Limits) String() string {
	if l == nil {
		return "no limits"
	}
	var words []string
	add := func(limit Limit, value int64, text string) {
		if value > 0 {
			words = append(words, fmt.Sprintf("%s %s", limit, text))
		}
	}
	add(MaxFile, l.MaxFile, SizeText(l.MaxFile))
	add(FilesPerHour, l.FilesPerHour, strconv.FormatInt(l.FilesPerHour, 10))
	add(BytesPerDay, l.BytesPerDay, SizeText(l.BytesPerDay))
	add(Bandwidth, l.Bandwidth, SizeText(l.Bandwidth)+"/s")
	add(Concurrent, l.Concurrent, strconv.FormatInt(l.Concurrent, 10))
	if l.Shared {
		words = append(words, "shared by all devices")
	}
	return strings.Join(words, ", ")
}

// Limiting is what limits a transfer: those of its device, and those of its rule. Either is nil where there are none.
type Limiting struct {
	Device, Rule *Limits
	// Open is true while more than one rule could still decide. Until that is known only the bandwidth of the one that is named holds:
	// nothing is refused in the name of a rule that may have nothing to say.
	Open bool
}

// Bound is Limits together with what they are counted for.
type Bound struct {
	Limits
	Rule   string // whose limits they are; empty for a device's own
	Device string // for whom they are counted; empty for all devices of the rule together
}

// Key tells counts apart. Labels hold no slash, so that no two bounds have the same one.
func (b Bound) Key() string {
	switch {
	case b.Rule == "":
		return "device/" + b.Device
	case b.Device == "":
		return "rule/" + b.Rule
	}
	return "rule/" + b.Rule + "/" + b.Device
}

// String names the bound for operators.
func (b Bound) String() string {
	switch {
	case b.Rule == "":
		return fmt.Sprintf("device %q", b.Device)
	case b.Device == "":
		return fmt.Sprintf("rule %q", b.Rule)
	}
	return fmt.Sprintf("rule %q for device %q", b.Rule, b.Device)
}

// Bounds are the limits that bind a transfer of the device under this decision, the device's own first.
func (d Decision) Bounds(device string) []Bound {
	var bounds []Bound
	if l := d.Limits.Device; l != nil {
		bounds = append(bounds, Bound{Limits: *l, Device: device})
	}
	l := d.Limits.Rule
	if l == nil {
		return bounds
	}
	b := ruleBound(d.Rule, l, device)
	if d.Limits.Open {
		b.Limits = Limits{Bandwidth: l.Bandwidth, Shared: l.Shared}
	}
	return append(bounds, b)
}

func ruleBound(rule string, l *Limits, device string) Bound {
	if l.Shared {
		device = ""
	}
	return Bound{Limits: *l, Rule: rule, Device: device}
}

// BoundOf is the limits of the named rule for the device; false where there is no such rule, or it has none.
func (p *Policy) BoundOf(rule, device string) (Bound, bool) {
	r := p.named[rule]
	if r == nil || r.Limits == nil {
		return Bound{}, false
	}
	return ruleBound(rule, r.Limits, device), true
}

// limiting is what limits an operation under the rule.
func (r *Rule) limiting(in *inquiry, open bool) Limiting {
	if !in.Op.transfers() {
		return Limiting{}
	}
	l := Limiting{Rule: r.Limits, Open: open}
	if d := in.device(); d != nil {
		l.Device = d.Limits
	}
	return l
}

// mostBytes is the largest file that the rule lets pass, or 0 where it has no bound.
func (r *Rule) mostBytes() int64 {
	if r.Limits == nil || r.Limits.MaxFile == 0 || r.MaxSize > 0 && r.MaxSize < r.Limits.MaxFile {
		return r.MaxSize
	}
	return r.Limits.MaxFile
}
