// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

const (
	headSize = 4 << 10 // more than the longest signature
	// MaxCFG bounds a COMTRADE configuration, in bytes: ten thousand channels are less.
	MaxCFG = 2 << 20
)

// Stream looks at one file while it passes. It is used by one goroutine at a time.
type Stream struct {
	ext      string
	keep     int // bytes to keep
	kept     []byte
	size     int64
	lines    lineCount
	combined *combined // of a file that may be COMTRADE all in one
}

// NewStream makes a Stream for a file of this name. The name says only what is worth looking for.
func NewStream(name string) *Stream {
	s := &Stream{ext: strings.ToLower(path.Ext(name)), keep: headSize}
	switch s.ext {
	case ".cfg":
		s.keep = MaxCFG
	case ".cff":
		s.combined = newCombined()
	}
	return s
}

// Write takes the next bytes. It never fails.
func (s *Stream) Write(p []byte) (int, error) {
	if room := s.keep - len(s.kept); room > 0 {
		s.kept = append(s.kept, p[:min(room, len(p))]...)
	}
	s.size += int64(len(p))
	if s.ext == ".dat" {
		s.lines.count(p)
	}
	if s.combined != nil {
		s.combined.write(p)
	}
	return len(p), nil
}

// NeedsCFG reports whether the file is COMTRADE data, if anything: what it is worth says its configuration, the file of the same
// name that ends in .cfg.
func (s *Stream) NeedsCFG() bool { return s.ext == ".dat" }

// Type is the name of what has passed, one of Types, or its media type where there is no such name. cfg is the configuration of
// COMTRADE data, nil where there is none. why says why a file that is named like COMTRADE is not, and is nil otherwise.
func (s *Stream) Type(cfg *Comtrade) (name string, why error) {
	switch s.ext {
	case ".cfg":
		_, why = ParseCFG(string(s.kept))
		if why == nil && s.size > MaxCFG {
			why = errTooLong
		}
	case ".dat":
		if why = errNoCFG; cfg != nil {
			why = s.CheckDAT(*cfg)
		}
	case ".cff":
		why = s.combined.check()
	default:
		return magic(s.kept), nil
	}
	if why == nil {
		return "comtrade", nil
	}
	return magic(s.kept), why
}

// magic finds the type by signature, the most particular that has a name of ours.
func magic(head []byte) string {
	names := mediaTypes()
	found := mimetype.Detect(head)
	for m := found; m != nil; m = m.Parent() {
		media, _, _ := strings.Cut(m.String(), ";")
		if name := names[media]; name != "" {
			return name
		}
	}
	media, _, _ := strings.Cut(found.String(), ";")
	return media
}

// lineCount counts the lines of a file and the fields in them.
type lineCount struct {
	n           int64
	least, most int
	fields      int  // of the line that is not at its end
	open        bool // there is something in it
}

func (l *lineCount) count(p []byte) {
	for _, b := range p {
		switch b {
		case '\n':
			l.end()
		case ',':
			l.fields++
			l.open = true
		case '\r', 0x1a: // the end of a file of DOS
		default:
			l.open = true
		}
	}
}

func (l *lineCount) end() {
	if l.open {
		n := l.fields + 1
		if l.n == 0 || n < l.least {
			l.least = n
		}
		l.most = max(l.most, n)
		l.n++
	}
	l.fields, l.open = 0, false
}
