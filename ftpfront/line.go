// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode"

	"github.com/ftpgw/ftpgw/internal/credential"
)

// maxLine is the length of a command line in bytes, its end not counted, where the zone says nothing: a verb and the longest path
// (PATH_MAX).
const maxLine = 4096 + 16

var (
	// errLineTooLong says that a line was longer than the zone allows. It has been read to its end: the next line is the next command.
	errLineTooLong = errors.New("the command line is too long")
	// errControlCharacter says that a line held a byte that has no place in a command.
	errControlCharacter = errors.New("the command line holds a control character")
)

// Telnet bytes that may stand in a control connection (RFC 854; RFC 959, 5.3.1 and 4.1.3).
const (
	telnetIAC  = 255
	telnetDont = 254
	telnetWill = 251
)

// lineReader reads command lines as RFC 959, 5.3 defines them, and as devices send them: ended by CRLF or a bare LF, in any
// segmentation, with telnet sequences in between. It is used by one goroutine at a time.
type lineReader struct {
	r    *bufio.Reader
	line []byte
	most int // bytes of a line
}

func newLineReader(r io.Reader, most int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 512), most: most}
}

// read returns the next line without its end. Until it is understood it is a secret: any line may hold a password, also one that is
// no command at all. After errLineTooLong and errControlCharacter read may be called again; nothing of such a line is kept.
func (l *lineReader) read() (credential.Secret, error) {
	l.line = l.line[:0]
	long := false
	for {
		b, err := l.next()
		if err != nil {
			return credential.Secret{}, fmt.Errorf("read a command line: %w", err)
		}
		if b == '\n' {
			break
		}
		if len(l.line) == l.most+1 { // with the CR of its end
			long = true
			continue
		}
		l.line = append(l.line, b)
	}
	if n := len(l.line); n > 0 && l.line[n-1] == '\r' {
		l.line = l.line[:n-1]
	}
	if long || len(l.line) > l.most {
		return credential.Secret{}, errLineTooLong
	}
	for _, b := range l.line {
		if b < 0x80 && unicode.IsControl(rune(b)) {
			return credential.Secret{}, errControlCharacter
		}
	}
	return credential.NewSecret(string(l.line)), nil
}

// next returns the next byte that is not part of a telnet sequence. Interrupt Process and Synch, which RFC 959 has in front of
// ABOR, vanish here: what is left is the ABOR.
func (l *lineReader) next() (byte, error) {
	for {
		b, err := l.r.ReadByte()
		if err != nil || b != telnetIAC {
			return b, err
		}
		command, err := l.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch {
		case command == telnetIAC: // IAC IAC is the data byte 255
			return command, nil
		case command >= telnetWill && command <= telnetDont: // an option follows; options are never taken up
			if _, err := l.r.ReadByte(); err != nil {
				return 0, err
			}
		case command < 236: // not a telnet command: the mark of a Synch was lost on the way, and this is the first byte behind it
			return command, nil
		}
	}
}
