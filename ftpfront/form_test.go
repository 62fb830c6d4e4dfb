// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

func withQuirks(q Quirks) func(*Zone) { return func(z *Zone) { z.Quirks = q } }

func (f *fixture) stored(t *testing.T, name, want string) {
	t.Helper()
	if got, ok := f.remote.Get(name); !ok || string(got) != want {
		t.Errorf("%s holds %.60q (%v), want %.60q", name, got, ok, want)
	}
}

func (f *fixture) notStored(t *testing.T, name string) {
	t.Helper()
	if got, ok := f.remote.Get(name); ok {
		t.Errorf("%s is there: %.60q", name, got)
	}
}

func TestASCIIVerbatim(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.cmd(200, "TYPE A")
	image := "a\r\nb\nc\r\x00\xff\n"
	c.store(226, "STOR x", []byte(image))
	f.stored(t, "/relay/x", image)
	c.cmd(213, "SIZE x")
	c.cmd(350, "REST 2")
	if got := string(c.fetch("RETR x")); got != image[2:] {
		t.Errorf("got %q", got)
	}
	r := f.log.of(audit.TransferCommitted)[0]
	if r.Type != "A" || r.Conversion != "" {
		t.Errorf("the record says type %q, conversion %q", r.Type, r.Conversion)
	}
}

func TestASCIIConvert(t *testing.T) {
	f := start(t, withQuirks(Quirks{ASCII: Convert}))
	c := f.login(t)
	long := strings.Repeat("x", 1<<20)
	c.store(226, "STOR image", []byte("a\r\n\x00")) // type I is the first type
	f.stored(t, "/relay/image", "a\r\n\x00")
	c.cmd(200, "TYPE A")
	c.store(226, "STOR x", []byte("a\r\nb\rc\nd\r\n"+long+"\r\nend"))
	f.stored(t, "/relay/x", "a\nb\rc\nd\n"+long+"\nend")
	if got := string(c.fetch("RETR x")); got != "a\r\nb\rc\r\nd\r\n"+long+"\r\nend" {
		t.Errorf("got %.60q", got)
	}
	c.store(226, "APPE x", []byte("\r\n"))
	f.stored(t, "/relay/x", "a\nb\rc\nd\n"+long+"\nend\n")
	r := f.log.of(audit.TransferCommitted)[1]
	if r.Type != "A" || r.Conversion != "line-endings" || *r.Bytes != int64(len(long)+12) {
		t.Errorf("the record says type %q, conversion %q, %d bytes", r.Type, r.Conversion, *r.Bytes)
	}

	c.store(550, "STOR y", []byte("text\r\n\x00more"))
	f.notStored(t, "/relay/y")
	c.pasv()
	c.cmd(550, "RETR image")
	f.remote.Put("/relay/late", []byte(strings.Repeat("text\n", 50000)+"\x00"))
	conn := c.dialData(c.pasv())
	c.cmd(150, "RETR late")
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("a file that turned out not to be text ended in order")
	}
	c.expect(550)

	c.cmd(550, "SIZE x")
	c.cmd(504, "REST 2")
	c.cmd(350, "REST 0")
	c.cmd(200, "ALLO 3") // of the text as the device stores it: no evidence about the wire
	c.store(226, "STOR z", []byte("a\r\nb\r\n"))
	c.cmd(200, "TYPE I")
	c.cmd(350, "REST 2")
	c.cmd(200, "TYPE A")
	c.pasv()
	c.cmd(554, "RETR x")
	c.cmd(350, "REST 0")
	if got := string(c.fetch("NLST")); got != "image\r\nlate\r\nx\r\nz\r\n" {
		t.Errorf("NLST: %q", got)
	}
}

func TestASCIIRefuse(t *testing.T) {
	f := start(t, withQuirks(Quirks{ASCII: Refuse}))
	c := f.login(t)
	c.cmd(504, "TYPE A")
	c.cmd(504, "type a n")
	c.cmd(200, "TYPE I")
}

func TestRecordStructure(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	c.cmd(200, "stru r")
	c.store(226, "STOR x", []byte("one\xff\x01t\xff\xffwo\xff\x01\xff\x02"))
	f.stored(t, "/relay/x", "one\nt\xffwo\n")
	if got := string(c.fetch("RETR x")); got != "one\xff\x01t\xff\xffwo\xff\x01\xff\x02" {
		t.Errorf("RETR: %q", got)
	}
	c.store(226, "APPE x", []byte("three\xff\x02"))
	f.stored(t, "/relay/x", "one\nt\xffwo\nthree")
	if got := string(c.fetch("NLST")); got != "x\xff\x01\xff\x02" {
		t.Errorf("NLST: %q", got)
	}
	if got := c.cmd(211, "STAT"); !strings.Contains(got, "STRU: R") {
		t.Errorf("STAT: %q", got)
	}
	if r := f.log.of(audit.TransferCommitted)[0]; r.Conversion != "records" || !slices.Contains(r.Evidence, "eof-mark") {
		t.Errorf("the record says %q, %q", r.Conversion, r.Evidence)
	}
	c.store(426, "STOR y", []byte("one\xff\x01two"))
	if r := f.log.of(audit.TransferAborted)[0]; r.FailedEvidence != "eof-mark" {
		t.Errorf("the record says %q", r.FailedEvidence)
	}
	c.store(550, "STOR y", []byte("one\xff\x07"))
	c.store(550, "STOR y", []byte("one\ntwo\xff\x03"))
	f.notStored(t, "/relay/y")
	c.cmd(550, "SIZE x")
	c.cmd(504, "REST 1")
	c.cmd(504, "STRU P")
	c.cmd(200, "STRU F")
	c.cmd(213, "SIZE x")
}

// In records of text the line ends are those of the records, and what is not text is refused.
func TestRecordsOfText(t *testing.T) {
	f := start(t, withQuirks(Quirks{ASCII: Convert}))
	c := f.login(t)
	c.cmd(200, "TYPE A")
	c.cmd(200, "STRU R")
	c.store(226, "STOR x", []byte("one\xff\x01two\xff\x03"))
	f.stored(t, "/relay/x", "one\ntwo\n")
	c.store(550, "STOR y", []byte("o\x00e\xff\x03"))
	if got := string(c.fetch("RETR x")); got != "one\xff\x01two\xff\x01\xff\x02" {
		t.Errorf("RETR: %q", got)
	}
	f.remote.Put("/relay/b", []byte("\x00"))
	c.pasv()
	c.cmd(550, "RETR b")
}
