// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// commandStream is a control connection on which a device uploads one file after another.
type commandStream struct{ rest string }

func (c *commandStream) Read(p []byte) (int, error) {
	if c.rest == "" {
		c.rest = "TYPE I\r\nALLO 4096\r\nEPSV\r\nSTOR /events/2026/relay-12-000001.dat\r\n"
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// BenchmarkControl is what a command line costs before it is carried out: it is read, checked, taken apart and looked up.
func BenchmarkControl(b *testing.B) {
	const most = 4112
	lines := newLineReader(&commandStream{}, most)
	s := &session{front: &Front{commands: commandTable()}}
	b.ReportAllocs()
	for b.Loop() {
		line, err := lines.read()
		if err != nil {
			b.Fatal(err)
		}
		if x := s.parse(line); x.verb == "" {
			b.Fatal("the command is unknown")
		}
	}
}

// BenchmarkListing is what 5,000 entries cost from what the far side says of them to the lines on the data connection.
func BenchmarkListing(b *testing.B) {
	now := time.Unix(1_700_000_000, 0)
	entries := make([]entry, 5000)
	for i := range entries {
		info := listed{fmt.Sprintf("relay-12-%06d.dat", i), now.Add(-time.Duration(i) * time.Hour)}
		entries[i] = entry{info.name, info}
	}
	b.ReportAllocs()
	for b.Loop() {
		var moved atomic.Int64
		l := &listingFile{common: common{moved: &moved}, entries: entries, line: func(e entry) string { return longLine(e.info, e.name, now) }}
		var out strings.Builder
		if n, err := l.WriteTo(struct{ io.Writer }{&out}); err != nil || n < 5000*60 {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}

// listed is a file as a listing shows it.
type listed struct {
	name string
	time time.Time
}

func (l listed) Name() string       { return l.name }
func (l listed) Size() int64        { return 4096 }
func (l listed) Mode() fs.FileMode  { return 0o640 }
func (l listed) ModTime() time.Time { return l.time }
func (l listed) IsDir() bool        { return false }
func (l listed) Sys() any           { return nil }
