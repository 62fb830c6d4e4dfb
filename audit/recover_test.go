// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const first = "audit-00000001.jsonl"

// chained are the lines of a log with records of these bodies, one second apart.
func chained(bodies ...string) (lines []string) {
	c := chain{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, body := range bodies {
		lines = append(lines, string(c.append(nil, at.Add(time.Duration(i)*time.Second), []byte(body+"\n"))))
	}
	return lines
}

// two are the lines of a log with two records.
func two() (line1, line2 string) {
	lines := chained(`"event":"gateway.start"}`, `"event":"command","verb":"NOOP","code":200,"text":"ok","duration_us":1}`)
	return lines[0], lines[1]
}

// tails reports what each log.recovered record of the log has kept.
func tails(t *testing.T, list []Record) []string {
	t.Helper()
	var kept []string
	for _, r := range list {
		if r.Event != LogRecovered {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(r.Detail["tail"])
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, string(b))
	}
	return kept
}

// The log is cut at every possible byte: whole records stay, the rest is kept in the recovery record.
func TestTornTail(t *testing.T) {
	line1, line2 := two()
	whole := line1 + line2
	for cut := range len(whole) + 1 {
		dir := t.TempDir()
		write(t, filepath.Join(dir, first), whole[:cut])
		l := open(t, dir)
		if err := l.Record(t.Context(), Record{Event: GatewayStart}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		list := records(t, dir)
		complete := strings.Count(whole[:cut], "\n")
		torn := whole[strings.LastIndexByte(whole[:cut], '\n')+1 : cut]
		want := complete + 1
		if torn != "" {
			want++
			if kept := tails(t, list); len(kept) != 1 || kept[0] != torn {
				t.Errorf("cut at %d: kept %q, want %q", cut, kept, torn)
			}
		}
		if len(list) != want {
			t.Errorf("cut at %d: %d records, want %d", cut, len(list), want)
		}
		if _, err := os.Stat(filepath.Join(dir, "torn")); err == nil {
			t.Errorf("cut at %d: the file torn is left", cut)
		}
	}
}

// The recovery itself is stopped after each of its steps, as the crash table lists them.
func TestRecoveryStopped(t *testing.T) {
	const torn = `{"time":"2026-`
	encoded := base64.StdEncoding.EncodeToString([]byte(torn))
	lines := chained(`"event":"gateway.start"}`, `"event":"log.recovered","detail":{"tail":"`+encoded+`"}}`)
	line1, recovered := lines[0], lines[1]
	tests := map[string]struct {
		log, saved string
		want       string
	}{
		"after it was written":           {line1 + torn, torn, torn},
		"after it was cut off":           {line1, torn, torn},
		"while the record was appended":  {line1 + recovered[:30], torn, torn + recovered[:30]},
		"after the record was appended":  {line1 + recovered, torn, torn},
		"before anything, with an empty": {line1 + torn, "", torn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, first), test.log)
			write(t, filepath.Join(dir, "torn"), test.saved)
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			list := records(t, dir)
			if kept := tails(t, list); len(list) != 2 || len(kept) != 1 || kept[0] != test.want {
				t.Errorf("%d records, kept %q, want %q", len(list), kept, test.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "torn")); err == nil {
				t.Error("the file torn is left")
			}
		})
	}
}

// What no crash leaves is not repaired but refused, with the place.
func TestDamagedLogIsRefused(t *testing.T) {
	line1, line2 := two()
	other := strings.Replace(line2, "NOOP", "SYST", 1)
	tests := map[string]struct {
		segments map[string]string
		want     []string
	}{
		"not JSON":        {map[string]string{first: line1 + line2 + "garbage\n"}, []string{first + ":3", "form of a record"}},
		"half JSON":       {map[string]string{first: line1 + strings.Replace(line2, "}", "", 1)}, []string{first + ":2", "not a JSON record"}},
		"an empty line":   {map[string]string{first: line1 + "\n"}, []string{first + ":2"}},
		"no seq":          {map[string]string{first: line1 + strings.Replace(line2, `"seq":2`, `"seq":0`, 1)}, []string{first + ":2", "sequence number"}},
		"a changed line":  {map[string]string{first: line1 + other + chained("{", "{", `"event":"x"}`)[2]}, []string{first + ":3", "record 3", "does not follow"}},
		"a missing line":  {map[string]string{first: line2}, []string{first + ":1", "gap"}},
		"an empty second": {map[string]string{first: line1, "audit-00000002.jsonl": ""}, []string{"audit-00000002.jsonl:1", "log.segment"}},
		"no segment record": {
			map[string]string{first: line1, "audit-00000002.jsonl": line2}, []string{"audit-00000002.jsonl:1", "log.segment"}},
		"a strange name": {map[string]string{"audit-1.jsonl": line1}, []string{"audit-1.jsonl"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range test.segments {
				write(t, filepath.Join(dir, file), content)
			}
			_, err := Open(dir, Options{})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not name %q", err, want)
				}
			}
			for file, content := range test.segments {
				if read(t, filepath.Join(dir, file)) != content {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
}

// A line longer than what is read at once is a line like any other.
func TestLongLine(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 1<<20)
	write(t, filepath.Join(dir, first), chained(`"event":"gateway.start"}`, `"event":"command","cause":"`+long+`"}`)[0])
	l := open(t, dir)
	if err := l.Record(t.Context(), Record{Event: Command, Cause: long}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Record(t.Context(), Record{Event: GatewayStop}); err != nil {
		t.Fatal(err)
	}
	if list := records(t, dir); len(list) != 3 || list[1].Cause != long || list[2].Event != GatewayStop {
		t.Errorf("the log has %d records", len(list))
	}
}

func TestReadGoesOnAfterBadLines(t *testing.T) {
	line1, line2 := two()
	dir := t.TempDir()
	write(t, filepath.Join(dir, first), line1+"garbage\n"+line2+`{"to`)
	write(t, filepath.Join(dir, "audit-00000002.jsonl"), `{"time":"2026-01-02T03:04:07Z","seq":3,"event":"x"}`+"\n"+`{"unfinished`)
	var got []string
	for r, err := range Read(dir) {
		if err != nil {
			got = append(got, err.Error()[len(dir)+1:])
		} else {
			got = append(got, string(r.Event))
		}
	}
	want := []string{"gateway.start", first + ":2: the line is not a JSON record", "command", first + ":4: the line is torn", "x"}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("item %d is %q, want %q", i, got[i], want[i])
		}
	}
	for _, err := range Read(filepath.Join(dir, "missing")) {
		if err == nil {
			t.Error("a missing directory has a record")
		}
	}
}
