// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math"
	"slices"
	"time"
)

// sample is one measurement of one system in one round.
type sample struct {
	bytes   int64
	files   int
	elapsed time.Duration
	each    []time.Duration // how long each file took, from its first command to its last reply
	cpu     time.Duration   // of the system's process
	peak    int64           // bytes of memory, at most
	machine usage           // of all processors, by whomever
	value   float64         // of a row that measures something else
}

// quantity is something that a sample tells.
type quantity struct {
	name string
	unit string
	of   func(sample) float64
	less bool // less is better
}

const (
	mega = 1e6
	giga = 1e9
)

// The quantities of the table.
var (
	throughput = quantity{"throughput", "MB/s", func(s sample) float64 { return float64(s.bytes) / mega / s.elapsed.Seconds() }, false}
	fileRate   = quantity{"files per second", "/s", func(s sample) float64 { return float64(s.files) / s.elapsed.Seconds() }, false}
	cpuPerGB   = quantity{"CPU per GB", "s", func(s sample) float64 { return s.cpu.Seconds() / (float64(s.bytes) / giga) }, true}
	cpuPerFile = quantity{"CPU per file", "ms", func(s sample) float64 { return s.cpu.Seconds() * 1e3 / float64(s.files) }, true}
	peakMemory = quantity{"peak memory", "MB", func(s sample) float64 { return float64(s.peak) / mega }, true}
	half       = quantity{"time of one file, median", "ms", func(s sample) float64 { return milliseconds(percentile(s.each, 0.5)) }, true}
	most       = quantity{"time of one file, 99 %", "ms", func(s sample) float64 { return milliseconds(percentile(s.each, 0.99)) }, true}
	inUse      = quantity{"processors busy", "%", func(s sample) float64 { return 100 * s.machine.share() }, true}
	perSession = quantity{"memory of one session", "KB", func(s sample) float64 { return s.value / 1e3 }, true}
	firstReply = quantity{"start to the first 220", "ms", func(s sample) float64 { return s.value }, true}
)

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile is the nearest rank: the smallest value that at least this part of all values does not exceed.
func percentile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(part * float64(len(sorted))))
	return sorted[min(max(rank-1, 0), len(sorted)-1)]
}

// median is the middle of the values, or NaN where there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medianOf is the median of a quantity over rounds.
func medianOf(q quantity, rounds []sample) float64 {
	var values []float64
	for _, s := range rounds {
		values = append(values, q.of(s))
	}
	return median(values)
}

// ratioOf is the median of the ratios of two systems, round by round: what changes from one round to the next meets both.
func ratioOf(q quantity, a, b []sample) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, q.of(a[i])/q.of(b[i]))
	}
	return median(ratios)
}
