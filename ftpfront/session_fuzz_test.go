// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// maxFuzzed bounds one session of the fuzz target, in bytes.
const maxFuzzed = 8 << 10

// FuzzSession sends any bytes as a control channel, a line at a time, and holds the gateway to a model of the session: each line gets
// one final reply of the form of RFC 959, 4.2 with a code that docs/ftp.md has for it and that fits the state; each reply is on
// record; the session understands the next command; and nothing is left of it in the end.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"USER relay\r\nPASS correct horse\r\nPWD\r\nQUIT\r\nNOOP\r\n",
		"USER relay\nPASS wrong\nPASS x\nUSER nobody\nPASS \nPWD\n",
		"USER relay\r\nPASS correct horse\r\nPASV\r\nEPSV ALL\r\nPASV\r\nEPSV\r\nLIST\r\nLIST\r\nSTOR x\r\n",
		"USER relay\r\nPASS correct horse\r\nRNFR x\r\nRNTO y\r\nRNTO z\r\nREST 5\r\nALLO 7\r\nTYPE A\r\nSIZE x\r\nSTRU R\r\nMODE B\r\n",
		"USER relay\r\nPASS correct horse\r\nMKD a\"b\r\nCWD a\"b\r\nPWD\r\nCDUP\r\nCWD ../../x\r\nMLST\r\nSTAT /\r\nHELP\r\nFEAT\r\nREIN\r\nPWD\r\n",
		"\xff\xf4\xff\xf2ABOR\r\n\xff\xfb\x01NOOP\r\nNO\x00OP\r\n\xff\xff\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\nMKD /x\r\n",
		"USER relay\r\nPASS correct horse\r\nPORT 1,2,3,4,5,6\r\nEPRT |1|127.0.0.1|21|\r\nEPRT |2|::1|2121|\r\nSITE CHMOD 777 x\r\nMFMT 20200101000000 x\r\nOPTS MLST type;\r\nHASH x\r\nXCRC\r\n",
		strings.Repeat("X\r\n", 30),
		"\x80\r\n\x81x\r\n\x90/\r\n\xa0x\r\n\xb0x\r\n\xb5\r\n\xbax\r\n",
	} {
		f.Add([]byte(seed))
	}
	codes := documentedCodes(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > maxFuzzed {
			return
		}
		fix := start(t, func(z *Zone) {
			z.DataTimeout = time.Millisecond
			z.Limits = Limits{BadCommands: 20, CommandsBeforeLogin: 200, LoginAttempts: 3, LoginAttemptsPerAddress: 10, Lockout: time.Hour, LineLength: 512}
		})
		fix.remote.Put("/relay/x", []byte("content"))
		m := &model{t: t, fix: fix, codes: codes, client: fix.dialFrom(t, "127.77.0.1", 220)}
		m.feed(expand(input, slices.Sorted(maps.Keys(fix.front.commands))))
		m.finish()
	})
}

// expand replaces a byte from 128 on at the beginning of a line by a login, or a verb and a space, so that the fuzzer finds commands by
// changing bytes.
func expand(input []byte, verbs []string) (out []byte) {
	words := append([]string{"USER relay\r\nPASS " + password + "\r\n"}, verbs...)
	for line := range bytes.Lines(input) {
		if n := int(line[0]) - 128; n >= 0 && n < len(words) {
			out = append(append(out, words[n]...), ' ')
			line = line[1:]
		}
		out = append(out, line...)
	}
	return out
}

// documentedCodes are those that docs/ftp.md has for each verb; "as STOR" stands for those of another.
func documentedCodes(f *testing.F) map[string][]int {
	text, err := os.ReadFile("../docs/ftp.md")
	if err != nil {
		f.Fatal(err)
	}
	codes, like := map[string][]int{}, map[string]string{}
	number, other := regexp.MustCompile(`\b[1-5][0-9][0-9]\b`), regexp.MustCompile(`\bas ([A-Z]+)\b`)
	for line := range strings.SplitSeq(string(text), "\n") {
		fields := strings.Split(line, "|")
		if len(fields) != 8 {
			continue
		}
		verb := strings.TrimSpace(fields[1])
		for _, n := range number.FindAllString(fields[5]+fields[6], -1) {
			code, _ := strconv.Atoi(n) // three digits
			codes[verb] = append(codes[verb], code)
		}
		if m := other.FindStringSubmatch(fields[5] + fields[6]); m != nil {
			like[verb] = m[1]
		}
	}
	for range like { // chains of them
		for verb, of := range like {
			codes[verb] = append(codes[verb], codes[of]...)
			slices.Sort(codes[verb])
			codes[verb] = slices.Compact(codes[verb])
		}
	}
	return codes
}

// model is what a session must be like after the lines that it has been sent.
type model struct {
	t      *testing.T
	fix    *fixture
	codes  map[string][]int
	client *client

	sent    []byte
	lines   int // that were complete
	replies int // final ones
	bad     int

	user, loggedIn, endpoint, renaming, closed bool
	cwd                                        string
}

// feed sends the input a line at a time, so that it is known which reply belongs to which.
func (m *model) feed(input []byte) {
	for len(input) > 0 && !m.closed {
		n := bytes.IndexByte(input, '\n') + 1
		if n == 0 {
			n = len(input)
		}
		m.send(input[:n])
		input = input[n:]
	}
}

func (m *model) send(piece []byte) {
	if _, err := m.client.conn.Write(piece); err != nil {
		m.t.Fatalf("after %q: %v", m.sent, err)
	}
	m.sent = append(m.sent, piece...)
	lines := limitedLines(m.sent)
	for _, line := range lines[m.lines:] {
		m.lines++
		if m.check(line); m.closed {
			return
		}
	}
}

// limitedLines is readLines for the line length of the target.
func limitedLines(wire []byte) (lines []string) {
	reader := newLineReader(bytes.NewReader(wire), 512)
	for {
		line, err := reader.read()
		switch {
		case err == nil:
			lines = append(lines, line.Reveal())
		case err == errLineTooLong || err == errControlCharacter:
			lines = append(lines, "\x00")
		default:
			return lines
		}
	}
}

// check reads the reply to a line and holds it against the model.
func (m *model) check(line string) {
	code, text := m.reply()
	verb, args, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	cmd, known := m.fix.front.commands[verb]
	if n := len(m.fix.log.of(audit.Command)); n != m.replies {
		m.t.Fatalf("%q: %d final replies, %d commands on record", line, m.replies, n)
	}
	if !known {
		m.bad++
		m.is(line, code, m.bad <= 20 && code == 421 && foreign(m.fix.parse(line)) != nil || code == 500 || code == 501 && line == "\x00" || code == 421 && m.bad > 20)
		m.closed = code == 421
		return
	}
	if code == 421 { // too many commands, or too many failed logins
		m.is(line, code, m.replies > 200 || verb == "PASS")
		m.closed = true
		return
	}
	renaming := m.renaming
	m.renaming = false
	switch {
	case !cmd.open && !m.loggedIn:
		m.is(line, code, code == 530)
		return
	case cmd.arg == required && args == "":
		m.is(line, code, code == 501)
		return
	case cmd.data && !m.endpoint:
		m.is(line, code, code == 425)
		return
	}
	m.is(line, code, slices.Contains(m.codes[verb], code) || code == 530 && verb == "STAT" || code == 501 || code == 553)
	m.step(line, verb, args, code, text, renaming)
	if cmd.data {
		m.endpoint = false
	}
}

// step takes the model on by one command.
func (m *model) step(line, verb, args string, code int, text string, renaming bool) {
	switch verb {
	case "USER":
		m.is(line, code, code == 331)
		m.user, m.loggedIn, m.endpoint, m.cwd = true, false, false, "/"
	case "PASS":
		m.is(line, code, m.user && (code == 230 || code == 530) || !m.user && code == 503)
		if code == 230 {
			m.is(line, code, args == password)
			m.loggedIn, m.cwd = true, "/"
		}
		m.user = false
	case "REIN":
		m.user, m.loggedIn, m.endpoint = false, false, false
	case "QUIT":
		m.closed = true
	case "PASV", "EPSV", "PORT", "EPRT":
		m.endpoint = code == 227 || code == 229 || code == 200 && strings.HasPrefix(text, "Address") || m.endpoint && code/100 == 5
		if code == 425 {
			m.endpoint = false
		}
	case "RNFR":
		m.renaming = code == 350
	case "RNTO":
		m.is(line, code, renaming || code == 503)
	case "PWD", "XPWD":
		shown, ok := strings.CutSuffix(strings.TrimSuffix(text, "\r\n"), `" is the current directory.`)
		shown = strings.ReplaceAll(strings.TrimPrefix(shown, `"`), `""`, `"`)
		if !ok || shown != path.Clean(shown) || !path.IsAbs(shown) || m.cwd == "/" && shown != "/" {
			m.t.Fatalf("PWD shows %q", text)
		}
	case "CWD", "XCWD":
		if code == 250 {
			m.cwd = "" // somewhere
		}
	}
}

func (m *model) is(line string, code int, right bool) {
	m.t.Helper()
	if !right {
		m.t.Fatalf("%q is answered with %d; logged in %v, user %v, endpoint %v, renaming %v; before it came %q",
			line, code, m.loggedIn, m.user, m.endpoint, m.renaming, m.sent)
	}
}

// replyLine is one line of a reply (RFC 959, 4.2): the first digit 1 to 5, the second 0 to 5.
var replyLine = regexp.MustCompile(`^([1-5][0-5][0-9])([ -])([^\r\n\xff\x00-\x1f\x7f]*)\r\n$`)

// reply reads up to the final reply and returns it.
func (m *model) reply() (code int, text string) {
	for {
		code, text = m.oneReply()
		if code >= 200 {
			m.replies++
			return code, text
		}
	}
}

func (m *model) oneReply() (int, string) {
	first := m.line()
	parts := replyLine.FindStringSubmatch(first)
	if parts == nil {
		m.t.Fatalf("after %q: %q is no line of a reply", m.sent, first)
	}
	code, _ := strconv.Atoi(parts[1]) // three digits
	text := parts[3] + "\r\n"
	for parts[2] == "-" {
		line := m.line()
		last := replyLine.FindStringSubmatch(line)
		if last != nil && last[1] == parts[1] && last[2] == " " {
			return code, text
		}
		if !strings.HasPrefix(line, " ") || !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:len(line)-2], "\r\n") || strings.IndexByte(line, telnetIAC) >= 0 {
			m.t.Fatalf("after %q: %q stands inside a reply", m.sent, line)
		}
		text += line
	}
	return code, text
}

func (m *model) line() string {
	line, err := m.client.r.ReadString('\n')
	if err != nil {
		m.t.Fatalf("after %q: waiting for a reply: %v (%q)", m.sent, err, line)
	}
	return line
}

// finish sees whether the session goes on as the model says, and ends it.
func (m *model) finish() {
	m.feed([]byte("\n\n\n\nNOOP\r\n")) // the line feeds end the line, whatever telnet sequence it is in
	if m.closed {
		m.client.ended()
		return
	}
	m.client.halfClose()
	if rest, err := io.ReadAll(bufio.NewReader(m.client.conn)); err != nil && !isReset(err) || len(rest) > 0 {
		m.t.Fatalf("after %q: %q, %v", m.sent, rest, err)
	}
}

// isReset reports whether a connection was ended without regard to what is still on the way.
func isReset(err error) bool {
	_, ok := err.(*net.OpError)
	return ok
}

// parse is that of a session.
func (f *fixture) parse(line string) *exchange {
	return (&session{front: f.front}).parse(credential.NewSecret(line))
}
