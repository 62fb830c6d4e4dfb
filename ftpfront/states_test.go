// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
)

// sampleArguments is a good argument for every verb that needs one.
func sampleArguments() map[string]string {
	args := map[string]string{
		"USER": "relay", "PASS": "wrong", "PORT": "127,0,0,1,200,10", "EPRT": "|1|127.0.0.1|51200|", "TYPE": "I", "STRU": "F", "MODE": "S",
		"ALLO": "10", "REST": "1", "RNTO": "new", "MKD": "made", "XMKD": "made", "RMD": "dir", "XRMD": "dir", "CWD": "dir", "XCWD": "dir",
		"SITE": "HELP", "OPTS": "UTF8 ON", "MFMT": "20200102030405 x", "CLNT": "test", "STOR": "stored", "APPE": "stored",
	}
	for _, verb := range []string{"RETR", "RNFR", "DELE", "SIZE", "MDTM", "HASH", "XSHA256", "XMD5", "XCRC"} {
		args[verb] = "x"
	}
	return args
}

// states are what a session can be in when a command arrives.
func states() []struct {
	name  string
	reach func(f *fixture, t *testing.T) *client
} {
	login := func(f *fixture, t *testing.T) *client { return f.login(t) }
	after := func(code int, command string) func(f *fixture, t *testing.T) *client {
		return func(f *fixture, t *testing.T) *client {
			c := f.login(t)
			c.cmd(code, command)
			return c
		}
	}
	return []struct {
		name  string
		reach func(f *fixture, t *testing.T) *client
	}{
		{"no login", func(f *fixture, t *testing.T) *client { return f.dial(t) }},
		{"USER", func(f *fixture, t *testing.T) *client {
			c := f.dial(t)
			c.cmd(331, "USER relay")
			return c
		}},
		{"login", login},
		{"RNFR", after(350, "RNFR x")},
		{"REST", after(350, "REST 1")},
		{"data", func(f *fixture, t *testing.T) *client {
			c := f.login(t)
			if err := c.dialData(c.pasv()).CloseWrite(); err != nil { // an upload ends at once, a download is not read
				t.Fatal(err)
			}
			return c
		}},
		{"EPSV ALL", after(200, "EPSV ALL")},
	}
}

// TestVerbInState sends every verb in every state and compares the code with testdata/states.golden. With FTPGW_UPDATE_STATES set it
// is written anew; then it is for the reader to judge each number by RFC 959, 5.4 and 6.
func TestVerbInState(t *testing.T) {
	update := os.Getenv("FTPGW_UPDATE_STATES") != ""
	args := sampleArguments()
	var out strings.Builder
	out.WriteString("verb    ")
	for _, s := range states() {
		fmt.Fprintf(&out, " %-8s", s.name)
	}
	out.WriteString(" transfer\n")
	f := start(t, nil)
	for _, verb := range slices.Sorted(maps.Keys(commandTable())) {
		line := strings.TrimSpace(verb + " " + args[verb])
		fmt.Fprintf(&out, "%-8s", verb)
		for _, s := range states() {
			f.furnish()
			c := s.reach(f, t)
			c.send(line + "\r\n")
			fmt.Fprintf(&out, " %-8s", c.code())
			_ = c.conn.Close()
		}
		fmt.Fprintf(&out, " %s\n", f.duringTransfer(t, line))
	}
	const golden = "testdata/states.golden"
	if update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// furnish puts what the sample arguments name to the far side.
func (f *fixture) furnish() {
	ctx := context.Background()
	at := func(name string) gateway.Location { return gateway.Location{Home: "/relay", Path: name} }
	_ = f.remote.RemoveDir(ctx, at("/made")) // it may not be there
	f.remote.Put("/relay/x", []byte("0123456789"))
	f.remote.Put("/relay/dir/y", nil)
	_ = f.remote.Remove(ctx, at("/dir/y")) // what is left is an empty directory
}

// code is that of the next final reply.
func (c *client) code() string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return "closed"
		}
		if len(line) > 3 && line[3] == ' ' && line[0] != ' ' && line[0] != '1' {
			return line[:3]
		}
	}
}

// duringTransfer sends a line while an upload runs and returns the codes that come: those before the end of the data stand in front
// of a slash.
func (f *fixture) duringTransfer(t *testing.T, line string) string {
	t.Helper()
	f.furnish()
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR up")
	c.send(line + "\r\n")
	verb, _, _ := strings.Cut(line, " ")
	codes := ""
	switch verb {
	case "ABOR", "STAT":
		codes = c.code() + " / "
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	codes += c.code()
	if verb != "ABOR" && verb != "STAT" {
		codes += " " + c.code()
	}
	_ = c.conn.Close()
	return codes
}
