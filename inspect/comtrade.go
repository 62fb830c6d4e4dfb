// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Comtrade is what a COMTRADE configuration says of its data (IEEE C37.111-1991, -1999, -2013; IEC 60255-24).
type Comtrade struct {
	Analog, Status int    // channels
	Samples        int64  // records in the data file
	Format         string // "ASCII", "BINARY", "BINARY32" or "FLOAT32"
}

// maxChannels bounds what a configuration may claim; the standard allows 999,999.
const maxChannels = 999_999

// Size is the number of bytes of the data file; false where the format is ASCII, whose records have no fixed size. A binary record
// is a sample number and a time stamp of 4 bytes each, each analog value in 2 bytes (4 in BINARY32 and FLOAT32), and 16 status
// channels to a word of 2 bytes.
func (c Comtrade) Size() (int64, bool) {
	width := int64(2)
	switch c.Format {
	case "ASCII":
		return 0, false
	case "BINARY32", "FLOAT32":
		width = 4
	}
	return c.Samples * (8 + width*int64(c.Analog) + 2*((int64(c.Status)+15)/16)), true
}

// fields is the number of fields of an ASCII record.
func (c Comtrade) fields() int { return 2 + c.Analog + c.Status }

// cfgLines goes through the lines of a configuration.
type cfgLines struct {
	lines []string
	at    int
}

// next splits the next line into fields, of which there must be one of the given numbers.
func (l *cfgLines) next(what string, counts ...int) ([]string, error) {
	if l.at >= len(l.lines) {
		return nil, fmt.Errorf("it ends before the line of %s", what)
	}
	fields := strings.Split(strings.TrimRight(l.lines[l.at], "\r"), ",")
	l.at++
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	for _, n := range counts {
		if len(fields) == n {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("line %d, %s, has %d fields", l.at, what, len(fields))
}

// isForeign reports control characters that no text file has: a configuration must not be the wrapping of something else. 26 is the
// end of a file of DOS.
func isForeign(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\r' && r != '\n' && r != 26
}

// ParseCFG reads a configuration file. The error says why it is none.
func ParseCFG(text string) (c Comtrade, err error) {
	if i := strings.IndexFunc(text, isForeign); i >= 0 {
		return c, fmt.Errorf("byte %#02x at offset %d has no place in a text", text[i], i)
	}
	l := &cfgLines{lines: strings.Split(text, "\n")}
	if _, err = l.next("the station", 2, 3); err != nil {
		return c, err
	}
	if err = c.channels(l); err != nil {
		return c, err
	}
	if err = c.rates(l); err != nil {
		return c, err
	}
	for _, what := range []string{"the time of the first value", "the time of the trigger"} {
		f, err := l.next(what, 2)
		if err != nil {
			return c, err
		}
		if !isTime(f) {
			return c, fmt.Errorf("line %d, %s, is not a date and time", l.at, what)
		}
	}
	f, err := l.next("the format", 1)
	if err != nil {
		return c, err
	}
	switch c.Format = strings.ToUpper(f[0]); c.Format {
	case "ASCII", "BINARY", "BINARY32", "FLOAT32":
		return c, nil
	}
	return c, fmt.Errorf("line %d: %q is not a format of COMTRADE data", l.at, f[0])
}

// channels reads the line of their numbers, and one line for each.
func (c *Comtrade) channels(l *cfgLines) error {
	f, err := l.next("the numbers of channels", 3)
	if err != nil {
		return err
	}
	total, err := strconv.Atoi(f[0])
	c.Analog = count(f[1], "A")
	c.Status = count(f[2], "D")
	if err != nil || c.Analog < 0 || c.Status < 0 || total != c.Analog+c.Status || total < 1 {
		return fmt.Errorf("line %d does not say how many channels there are", l.at)
	}
	for range c.Analog {
		if _, err := l.next("an analog channel", 10, 13); err != nil {
			return err
		}
	}
	for range c.Status {
		if _, err := l.next("a status channel", 3, 5); err != nil {
			return err
		}
	}
	return nil
}

// rates reads line frequency, sampling rates and with them the number of records.
func (c *Comtrade) rates(l *cfgLines) error {
	if _, err := l.next("the line frequency", 1); err != nil {
		return err
	}
	f, err := l.next("the number of sampling rates", 1)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < 0 || n > len(l.lines) {
		return fmt.Errorf("line %d: %q is not a number of sampling rates", l.at, f[0])
	}
	for range max(n, 1) {
		f, err := l.next("a sampling rate", 2)
		if err != nil {
			return err
		}
		const most = 1 << 40
		if c.Samples, err = strconv.ParseInt(f[1], 10, 64); err != nil || c.Samples < 0 || c.Samples > most {
			return fmt.Errorf("line %d: %q is not the number of a sample", l.at, f[1])
		}
	}
	return nil
}

// count reads a number of channels such as "14A"; -1 where it is none.
func count(field, kind string) int {
	digits, ok := strings.CutSuffix(strings.ToUpper(field), kind)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n > maxChannels {
		return -1
	}
	return n
}

// isTime recognises dd/mm/yyyy,hh:mm:ss.ffffff, and the mm/dd/yy of 1991.
func isTime(f []string) bool {
	for _, layout := range []string{"2/1/2006 15:4:5", "1/2/06 15:4:5", "1/2/2006 15:4:5"} {
		if _, err := time.Parse(layout, f[0]+" "+f[1]); err == nil { // fractions of a second are taken though no layout has them
			return true
		}
	}
	return false
}

// errNoCFG says that there is nothing to hold a data file against.
var errNoCFG = errors.New("there is no .cfg to hold it against")

// CheckDAT holds what has passed against the configuration. The error says in what it differs.
func (s *Stream) CheckDAT(c Comtrade) error { return c.check(s.size, &s.lines) }

// check holds data against the configuration: their size, or where that is not fixed, their lines.
func (c Comtrade) check(size int64, lines *lineCount) error {
	if want, fixed := c.Size(); fixed {
		if size != want {
			return fmt.Errorf("the configuration says %d records of %d analog and %d status channels in %s, which is %d bytes, and there are %d",
				c.Samples, c.Analog, c.Status, c.Format, want, size)
		}
		return nil
	}
	lines.end() // of a last line without an end
	if lines.n != c.Samples {
		return fmt.Errorf("the configuration says %d records, and there are %d", c.Samples, lines.n)
	}
	if lines.n > 0 && (lines.least != c.fields() || lines.most != c.fields()) {
		return fmt.Errorf("the configuration says %d fields in each record, and there are from %d to %d", c.fields(), lines.least, lines.most)
	}
	return nil
}
