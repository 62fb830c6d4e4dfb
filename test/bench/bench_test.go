// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// options of a run. Without any it is the short form.
var options struct {
	full   bool
	rounds int
	rows   string
	write  string
	rclone bool
}

func TestMain(m *testing.M) {
	flag.BoolVar(&options.full, "full", false, "measure, instead of only showing that everything works")
	flag.IntVar(&options.rounds, "rounds", 5, "how often each system has its turn in a full run")
	flag.StringVar(&options.rows, "rows", ".", "regular expression: the names of the rows")
	flag.StringVar(&options.write, "write", "", "directory for performance.md and performance.svg")
	flag.BoolVar(&options.rclone, "rclone", false, "build rclone and compare with it, in the short form, too")
	flag.Parse()
	os.Exit(m.Run())
}

// TestBenchmark carries out every row of the table. Its short form, which is what `make test` runs, shows that each one works and that
// what is stored and fetched is right; nothing is asserted about time.
func TestBenchmark(t *testing.T) {
	wanted, err := regexp.Compile(options.rows)
	if err != nil {
		t.Fatal(err)
	}
	s := &systems{ftpgw: buildGateway(t)}
	r := report{loaded: load(), rounds: options.rounds}
	if options.full || options.rclone {
		if s.rclone, err = buildRclone(t); err != nil {
			r.norclone = err.Error()
			t.Logf("rclone could not be built, so that nothing is compared with it: %v", err)
		}
	}
	server := sshdtest.Start(t, "MaxSessions 20")
	r.machine = describeMachine(server.Root)
	rounds := options.rounds
	for _, row := range rows() {
		if !wanted.MatchString(row.name) {
			continue
		}
		if !options.full {
			row, rounds = row.brief(), 1
		}
		t.Run(row.name, func(t *testing.T) {
			o := s.run(t, server, row, rounds)
			t.Log("\n" + o.text())
			r.outcomes = append(r.outcomes, o)
			if o.missing == "" && len(o.samples[gatewayName]) == 0 {
				t.Error("nothing was measured")
			}
		})
	}
	dir := options.write
	if dir == "" {
		dir = t.TempDir()
	}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.outcomes {
		if !strings.Contains(string(text), "### "+o.work) {
			t.Errorf("the report does not have %q", o.work)
		}
	}
}

func TestStatistics(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median of three: %v", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median of four: %v", got)
	}
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	if got := percentile(all, 0.99); got != 99 {
		t.Errorf("99th of a hundred: %v", got)
	}
	if got := (usage{busy: 7, idle: 5}).since(usage{busy: 4, idle: 4}).share(); got != 0.75 {
		t.Errorf("three ticks of four are %v", got)
	}
	if u, err := machineUsage(); err != nil || u.busy == 0 || u.idle == 0 {
		t.Errorf("use of the processors since the machine was started: %+v, %v", u, err)
	}
	slow, fast := sample{bytes: 1e6, elapsed: 2 * time.Second}, sample{bytes: 1e6, elapsed: time.Second}
	o := outcome{samples: map[string][]sample{gatewayName: {slow, fast, fast}, rcloneName: {slow, slow, fast}}}
	if got := (goal{throughput, rcloneName, 2}).reached(o.samples); got != 1 {
		t.Errorf("median of the ratios 1, 2, 1: %v", got)
	}
	if got := o.verdict(goal{throughput, rcloneName, 2}); got != "missed by 50 %" {
		t.Errorf("verdict: %q", got)
	}
	if got := o.verdict(goal{throughput, "", 0.5}); got != "met, 100 % to spare" {
		t.Errorf("verdict: %q", got)
	}
	if got := o.verdict(goal{throughput, sftpName, 1}); got != "not measured" {
		t.Errorf("verdict: %q", got)
	}
}
