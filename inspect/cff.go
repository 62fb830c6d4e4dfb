// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// combined goes through a COMTRADE file that is all in one (.cff; IEEE C37.111-2013, IEC 60255-24:2013): sections, each behind a line
// such as "--- file type: CFG ---". The configuration comes first, then information and header, which may be left out, then the data.
// It keeps the configuration, and no more than the beginning of any other line.
type combined struct {
	separator *regexp.Regexp
	section   string // "CFG", "INF", "HDR" or "DAT"; empty before the first
	line      []byte // how the line begins that is not at its end
	cfg       strings.Builder
	sections  map[string]bool
	format    string // of the data, as the separator says: "ASCII", "BINARY" ...
	declared  int64  // bytes of binary data, as the separator says; -1 where it does not
	size      int64  // bytes of data
	lines     lineCount
	wrong     error // the first thing that is wrong
}

// maxSeparator is longer than any line between sections, in bytes.
const maxSeparator = 256

func newCombined() *combined {
	return &combined{
		separator: regexp.MustCompile(`(?i)^---\s*file type:\s*([a-z]+)(?:\s+([a-z0-9]+)(?:\s*:\s*([0-9]+))?)?\s*---\s*$`),
		sections:  map[string]bool{}, declared: -1,
	}
}

// write takes the next bytes.
func (f *combined) write(p []byte) {
	for len(p) > 0 && f.wrong == nil {
		if f.section == "DAT" {
			f.size += int64(len(p))
			f.lines.count(p)
			return
		}
		rest, end := p, false
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			rest, end = p[:i+1], true
		}
		p = p[len(rest):]
		f.text(rest)
		f.line = append(f.line, rest[:min(len(rest), maxSeparator-len(f.line))]...)
		if end {
			f.endLine()
		}
	}
}

// text looks at a part of a line of a section of text.
func (f *combined) text(part []byte) {
	if i := bytes.IndexFunc(part, isForeign); i >= 0 && f.wrong == nil {
		f.wrong = fmt.Errorf("byte %#02x has no place in a text", part[i])
	}
	if f.section != "CFG" {
		return
	}
	if f.cfg.Len()+len(part) > MaxCFG {
		f.wrong = errTooLong
		return
	}
	f.cfg.Write(part)
}

// endLine begins the next section where the line is a separator.
func (f *combined) endLine() {
	line := strings.TrimSpace(strings.TrimPrefix(string(f.line), "\ufeff"))
	f.line = f.line[:0]
	m := f.separator.FindStringSubmatch(line)
	if m == nil {
		if f.section == "" && line != "" {
			f.wrong = errors.New("it does not begin with the line of a section")
		}
		return
	}
	name := strings.ToUpper(m[1])
	switch {
	case name != "CFG" && name != "INF" && name != "HDR" && name != "DAT":
		f.wrong = fmt.Errorf("%q is no section of COMTRADE", name)
	case f.sections[name]:
		f.wrong = fmt.Errorf("it has two sections %s", name)
	case (name == "CFG") != (f.section == ""):
		f.wrong = errors.New("its first section, and no other, must be CFG")
	}
	f.section, f.sections[name], f.format = name, true, strings.ToUpper(m[2])
	if m[3] != "" {
		var err error
		if f.declared, err = strconv.ParseInt(m[3], 10, 64); err != nil {
			f.wrong = fmt.Errorf("%q is not a number of bytes", m[3])
		}
	}
}

// check says why what has passed is no COMTRADE; nil where it is.
func (f *combined) check() error {
	switch {
	case f.wrong != nil:
		return f.wrong
	case f.section == "":
		return errors.New("it has no section")
	case f.section != "DAT":
		return errors.New("it ends before its data")
	}
	// The line of the section behind it ends the configuration's text.
	text := f.cfg.String()
	c, err := ParseCFG(text)
	if err != nil {
		return fmt.Errorf("its section CFG: %w", err)
	}
	// In the line of a section BINARY is any of the three binary formats.
	if f.format != c.Format && !(f.format == "BINARY" && c.Format != "ASCII") {
		return fmt.Errorf("its data are in %q, and its configuration says %s", f.format, c.Format)
	}
	if f.declared >= 0 && f.declared != f.size {
		return fmt.Errorf("its data are said to be %d bytes, and there are %d", f.declared, f.size)
	}
	return c.check(f.size, &f.lines)
}
