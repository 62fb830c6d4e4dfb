// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// planted is what a device sends that holds a password, and what stands on record for it: verb and argument.
type planted struct{ line, verb, args string }

// Every line holds the password %s in a place where devices and people have put one.
func plantings() []planted {
	const mask = "****"
	return []planted{
		{"PASS %s", "PASS", mask},
		{"pass %s", "PASS", mask},
		{"PASS   blanks %s ", "PASS", mask},
		{"PASS \xff\xff%s\x80", "PASS", mask},
		{"ACCT %s", "ACCT", mask},
		{"acct %s %[1]s", "ACCT", mask},
		{"%s", mask, ""},          // out of step
		{"%s and more", mask, ""}, // the same with a blank
		{"PAS %s", mask, ""},      // mistyped
		{"PASSWORD %s", mask, ""}, //
		{"PASS%s", mask, ""},      //
		{" PASS %s", mask, ""},    // a blank before the verb
		{"USER relay %s", "USER", "relay " + mask},
		{"USER nobody %s", "USER", "nobody " + mask},
		{"USER relay PASS %s", "USER", "relay " + mask},
		{"SITE PSWD %s new-%[1]s", "SITE", mask},
		{"SITE %s", "SITE", mask},
		{"SITE UTIME %s", "SITE", mask},
		{"ADAT %s", "ADAT", mask},
		{"MIC %s", "MIC", mask},
		{"AUTH %s", "AUTH", mask},
		{"AUTH TLS %s", "AUTH", mask},
		{"HELP %s", "HELP", mask},
		{"XPSW %s", mask, ""},
		{"PaSs\t%s", "", ""},                            // a control character: nothing of the line is kept
		{"PASS %s\x00", "", ""},                         //
		{"PASS %s" + strings.Repeat("x", 5000), "", ""}, // too long
		{strings.Repeat("x", 5000) + "%s", "", ""},
	}
}

// Wherever a device puts a password, it is neither in the audit log nor in the operator log (the fixture looks for it in the end),
// but the attempt is on record: before the login, within it, while a transfer runs, and in what the device did not wait for.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{verbose: true, limits: "    bad_commands = 1000"})
	n := 0
	plant := func(p planted) string {
		n++
		secret := fmt.Sprintf("Kp3z-%04d-wW", n)
		g.secrets = append(g.secrets, secret)
		return fmt.Sprintf(p.line, secret)
	}
	var want []string
	expect := func(p planted) { want = append(want, p.verb+"|"+p.args) }
	f := dial(t, g.addr)
	for _, p := range plantings() {
		if strings.HasPrefix(p.line, "PASS") && p.verb == "PASS" {
			f.expect(331, "USER relay") // or too many logins would fail
			f.expect(230, "PASS %s", g.devices[0].password)
		}
		f.cmd("%s", plant(p))
		expect(p)
	}
	f.expect(331, "USER relay")
	f.expect(530, "%s", plant(planted{line: "PASS %s"})) // a login that fails
	expect(planted{verb: "PASS", args: "****"})
	f.expect(331, "USER relay")
	f.expect(230, "PASS %s", g.devices[0].password)
	for _, p := range plantings() {
		if p.verb == "USER" {
			continue // would log out
		}
		f.cmd("%s", plant(p))
		expect(p)
	}
	f.expect(331, "USER relay")
	f.expect(230, "PASS %s", g.devices[0].password)
	data := f.data("STOR /event.dat")
	late := planted{"PASS %s", "PASS", "****"}
	ahead := planted{"%s", "****", ""}
	for _, p := range []planted{late, ahead} {
		if _, err := fmt.Fprintf(f.conn, "%s\r\n", plant(p)); err != nil {
			t.Fatal(err)
		}
		expect(p)
	}
	write(t, data, content(t, 1000, 1))
	if err := f.conn.(*net.TCPConn).CloseWrite(); err != nil { // the two get no answer, or one that nobody reads
		t.Fatal(err)
	}
	_ = data.Close()
	_ = f.conn.Close()
	g.waitLog("session ended")
	got := map[string]int{}
	for _, r := range g.recordsOf(audit.Command) {
		got[r.Verb+"|"+r.Args]++
	}
	for _, w := range want {
		if got[w]--; got[w] < 0 {
			t.Errorf("%q is not on record as often as it was sent", w)
		}
	}
}
