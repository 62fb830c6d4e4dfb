// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// step is one command of a device, about one name.
type step struct {
	op   policy.Operation
	verb string
	code int    // where it is allowed; where it is denied it is 550
	kind string // what stands under the name before: "file", "directory" or "" for nothing
}

// steps are at least one command for each operation, and all of them for list and modify.
func steps() []step {
	return []step{
		{policy.Upload, "STOR", 226, ""}, {policy.Append, "APPE", 226, "file"}, {policy.Download, "RETR", 226, "file"},
		{policy.List, "LIST", 226, "directory"}, {policy.List, "NLST", 226, "directory"}, {policy.List, "MLSD", 226, "directory"}, {policy.List, "MLST", 250, "file"},
		{policy.List, "STAT", 213, "file"}, {policy.List, "SIZE", 213, "file"}, {policy.List, "MDTM", 213, "file"},
		{policy.Delete, "DELE", 250, "file"}, {policy.Rename, "RNTO", 250, "file"}, {policy.Mkdir, "MKD", 257, ""}, {policy.Rmdir, "RMD", 250, "directory"},
		{policy.Modify, "MFMT", 213, "file"}, {policy.Modify, "SITE CHMOD", 200, "file"},
	}
}

// do plays the step over FTP and returns the final reply.
func (s step) do(f *ftp, name string) reply {
	f.t.Helper()
	switch s.verb {
	case "STOR", "APPE", "RETR", "LIST", "NLST", "MLSD":
		conn, r := f.tryData("%s %s", s.verb, name)
		if conn == nil {
			return r
		}
		if s.op == policy.Upload || s.op == policy.Append {
			write(f.t, conn, []byte("hello"))
		} else if _, err := io.Copy(io.Discard, conn); err != nil {
			f.t.Fatal(err)
		}
		_ = conn.Close()
		return f.read()
	case "RNTO":
		if r := f.cmd("RNFR %s", name); r.code != 350 {
			return r
		}
		return f.cmd("RNTO %s.new", name)
	case "MFMT":
		return f.cmd("MFMT 20260301063015 %s", name)
	case "SITE CHMOD":
		return f.cmd("SITE CHMOD 640 %s", name)
	}
	return f.cmd("%s %s", s.verb, name)
}

// explained is what ftpgw explain says about a step.
type explained struct {
	Verdict string `json:"verdict"`
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
}

func (g *gw) explain(op policy.Operation, name string) (e explained, steps []audit.TraceStep, status int) {
	g.t.Helper()
	cmd := exec.Command(binary(g.t), "explain", "--config", filepath.Join(g.dir, "ftpgw.hcl"), "--device", g.devices[0].name, "--from", "127.0.0.1",
		"--op", string(op), "--path", name, "--json")
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	var trace struct {
		Steps []audit.TraceStep `json:"steps"`
	}
	if err := errors.Join(json.Unmarshal(out, &e), json.Unmarshal(out, &trace)); err != nil {
		g.t.Fatalf("explain %s %s: %v in %q", op, name, err, out)
	}
	steps = slices.DeleteFunc(trace.Steps, func(s audit.TraceStep) bool { return s.Outcome == policy.NotReached })
	return e, steps, cmd.ProcessState.ExitCode()
}

// For every operation there is a directory in which a rule allows it, one in which a rule denies it, and one of which no rule speaks.
func operationRules() string {
	var b strings.Builder
	for _, op := range policy.Operations() {
		fmt.Fprintf(&b, "rule \"no-%s\" {\n  reason = \"denied: %s\"\n  deny = [%q]\n  paths = [\"/no/**\"]\n}\n", op, op, op)
		fmt.Fprintf(&b, "rule \"may-%s\" {\n  reason = \"allowed: %s\"\n  allow = [%q]\n  paths = [\"/may/**\"]\n}\n", op, op, op)
	}
	return b.String()
}

// repliesOf are the codes that the reply table names for a command.
func repliesOf(t *testing.T, verb string) string {
	t.Helper()
	table, err := os.ReadFile("../docs/ftp.md")
	if err != nil {
		t.Fatal(err)
	}
	verb, _, _ = strings.Cut(verb, " ")
	for line := range strings.Lines(string(table)) {
		if cells := strings.Split(line, "|"); len(cells) > 5 && strings.TrimSpace(cells[1]) == verb {
			if strings.Contains(cells[5], "as STOR") {
				return cells[5] + repliesOf(t, "STOR")
			}
			return cells[5]
		}
	}
	t.Fatalf("docs/ftp.md has no command %s", verb)
	return ""
}

// What ftpgw explain says is what happens over FTP, for every operation: the same verdict by the same rule for the same reason, with
// the code that the reply table names; and it is on record so, denials with what each rule said.
func TestEveryOperationAsExplained(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{rules: operationRules(), audit: "trace_denials = true"})
	f := g.login(0)
	type outcome struct {
		op   policy.Operation
		name string
		explained
		steps []audit.TraceStep
	}
	var outcomes []outcome
	var asked []policy.Operation
	for _, s := range steps() {
		asked = append(asked, s.op)
		for _, dir := range []string{"may", "no", "else"} {
			name := "/" + dir + "/" + strings.ReplaceAll(s.verb, " ", "-")
			place := filepath.Join(g.home(0), name)
			if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
				t.Fatal(err)
			}
			switch s.kind {
			case "file":
				writeFile(t, place, strings.NewReader("content"))
			case "directory":
				if err := os.Mkdir(place, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			e, trace, status := g.explain(s.op, name)
			want := map[string]explained{
				"may":  {"allowed", "may-" + string(s.op), "allowed: " + string(s.op)},
				"no":   {"denied", "no-" + string(s.op), "denied: " + string(s.op)},
				"else": {"denied", "", policy.NoRule},
			}[dir]
			code, exit := 550, 2
			if dir == "may" {
				code, exit = s.code, 0
			}
			if e != want || status != exit {
				t.Errorf("explain %s %s: %+v with status %d, want %+v", s.op, name, e, status, want)
			}
			r := s.do(f, name)
			if r.code != code || !strings.Contains(repliesOf(t, s.verb), fmt.Sprint(code)) {
				t.Errorf("%s %s: %v, want %d; the reply table names %s", s.verb, name, r, code, repliesOf(t, s.verb))
			}
			outcomes = append(outcomes, outcome{s.op, name, e, trace})
		}
	}
	for _, op := range policy.Operations() {
		if !slices.Contains(asked, op) {
			t.Errorf("no step for %s", op)
		}
	}
	// The new name of a rename is decided, too.
	writeFile(t, filepath.Join(g.home(0), "may", "moved"), strings.NewReader("content"))
	f.expect(350, "RNFR /may/moved")
	f.expect(550, "RNTO /no/moved")
	e, trace, _ := g.explain(policy.Rename, "/no/moved")
	outcomes = append(outcomes, outcome{policy.Rename, "/no/moved", e, trace})

	records := g.records()
	for _, o := range outcomes {
		i := slices.IndexFunc(records, func(r audit.Record) bool {
			return r.TransferFields != nil && r.Op == string(o.op) && r.Path == o.name && (r.Event == audit.DecisionDenied) == (o.Verdict == "denied")
		})
		if i < 0 {
			t.Errorf("%s %s was %s, which is not on record", o.op, o.name, o.Verdict)
		} else if r := records[i]; r.Rule != o.Rule || r.Reason != o.Reason {
			t.Errorf("%s %s is on record as decided by %q (%s), and explain says %+v", o.op, o.name, r.Rule, r.Reason, o.explained)
		} else if o.Verdict == "denied" && !slices.Equal(r.Trace, o.steps) {
			t.Errorf("%s %s is on record with the trace %+v, and explain says %+v", o.op, o.name, r.Trace, o.steps)
		}
	}
}
