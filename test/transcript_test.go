// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTranscripts plays testdata/ftp/*.txt against the real program: one file is one behaviour. A file is made of these lines:
//
//	# text              a remark; the first one names the section of the RFC
//	zone ATTRIBUTE      is written into the zone block, config LINE at the top level of the configuration
//	file NAME "TEXT"    puts a file into the device's home on the server; dir NAME a directory
//	login               sends USER and PASS, which must succeed
//	> TEXT              is sent with CRLF, raw "TEXT" without
//	< PATTERN           is the next line that must come; * stands for anything
//	data                prepares a data connection with EPSV
//	put "TEXT"          is sent over it, then it is closed; reset breaks it instead
//	get "TEXT"          must come over it, up to its end; broken "TEXT" is where it must break off instead
//	stored NAME "TEXT"  must be on the server, absent NAME must not
//	closed              the control connection must end
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/ftp/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var zone, config strings.Builder
			var script []string
			for line := range strings.SplitSeq(string(text), "\n") {
				kind, rest, _ := strings.Cut(line, " ")
				switch kind {
				case "zone":
					zone.WriteString("  " + rest + "\n")
				case "config":
					config.WriteString(rest + "\n")
				default:
					script = append(script, line)
					continue
				}
				script = append(script, "") // keeps the numbers of lines
			}
			g := startGateway(t, setup{zone: zone.String(), rules: config.String() + allowAll})
			play(t, g, script)
		})
	}
}

// player is one session that follows a script.
type player struct {
	t    *testing.T
	g    *gw
	conn net.Conn
	in   *bufio.Reader
	data *net.TCPConn
	line int
}

// play follows a script in a session of its own, as the first device.
func play(t *testing.T, g *gw, script []string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, g: g, conn: conn, in: bufio.NewReader(conn)}
	defer p.end()
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	p.expect("220 *")
	for i, line := range script {
		p.line = i + 1
		kind, rest, _ := strings.Cut(line, " ")
		p.step(kind, rest)
	}
}

func (p *player) end() {
	_ = p.conn.Close()
	if p.data != nil {
		_ = p.data.Close()
	}
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("line "+strconv.Itoa(p.line)+": "+format, args...)
}

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.fail("%v", err)
	}
}

func (p *player) step(kind, rest string) {
	p.t.Helper()
	name, text, _ := strings.Cut(rest, " ")
	onServer := filepath.Join(p.g.home(0), filepath.FromSlash(name))
	switch kind {
	case "", "#":
	case "file":
		p.must(os.MkdirAll(filepath.Dir(onServer), 0o755))
		p.must(os.WriteFile(onServer, []byte(p.unquote(text)), 0o644))
	case "dir":
		p.must(os.MkdirAll(onServer, 0o755))
	case "login":
		p.send("USER " + p.g.devices[0].name + "\r\n")
		p.expect("331 *")
		p.send("PASS " + p.g.devices[0].password + "\r\n")
		p.expect("230 *")
	case ">":
		p.send(rest + "\r\n")
	case "raw":
		p.send(p.unquote(rest))
	case "<":
		p.expect(rest)
	case "stored":
		got, err := os.ReadFile(onServer)
		if want := p.unquote(text); err != nil || string(got) != want {
			p.fail("%s holds %q, %v, want %q", name, got, err, want)
		}
	case "absent":
		if _, err := os.Lstat(onServer); !errors.Is(err, os.ErrNotExist) {
			p.fail("%s is there: %v", name, err)
		}
	case "closed":
		if b, err := p.in.ReadByte(); err == nil {
			p.fail("got %q, want the connection closed", b)
		}
	default:
		p.stepData(kind, rest)
	}
}

func (p *player) stepData(kind, rest string) {
	p.t.Helper()
	switch kind {
	case "data":
		p.send("EPSV\r\n")
		_, after, ok := strings.Cut(p.expect("229 *(|||*|)*"), "(|||")
		port, _, ok2 := strings.Cut(after, "|)")
		if !ok || !ok2 {
			p.fail("no port")
		}
		host, _, err := net.SplitHostPort(p.g.addr)
		p.must(err)
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), patience)
		p.must(err)
		p.data = conn.(*net.TCPConn)
		p.must(p.data.SetDeadline(time.Now().Add(2 * patience)))
	case "put":
		_, err := p.data.Write([]byte(p.unquote(rest)))
		p.must(err)
		p.must(p.data.Close())
	case "reset":
		p.must(p.data.SetLinger(0))
		p.must(p.data.Close())
	case "get", "broken":
		got, err := io.ReadAll(p.data)
		if want := p.unquote(rest); (err != nil) != (kind == "broken") || (kind == "get" && string(got) != want) || !bytes.HasPrefix(got, []byte(want)) {
			p.fail("got %.200q, %v, want %.200q", got, err, want)
		}
	default:
		p.fail("%q is no instruction", kind)
	}
}

func (p *player) send(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.conn, text)
	p.must(err)
}

// expect reads one line, which must be like the pattern.
func (p *player) expect(pattern string) string {
	p.t.Helper()
	got, err := p.in.ReadString('\n')
	if err != nil {
		p.fail("want %q: %v", pattern, err)
	}
	want := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	if !regexp.MustCompile("^" + want + "\r\n$").MatchString(got) {
		p.fail("got %q, want %q", got, pattern)
	}
	return got
}

func (p *player) unquote(quoted string) string {
	p.t.Helper()
	text, err := strconv.Unquote(quoted)
	if err != nil {
		p.fail("%s: %v", quoted, err)
	}
	return text
}
