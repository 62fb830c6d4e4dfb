// SPDX-License-Identifier: Apache-2.0

package test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Every client sends a file and fetches it again, in every way of opening a data connection that it knows.
func TestEveryClient(t *testing.T) {
	t.Parallel()
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need(t, c.programs...)
			g := startGateway(t, setup{})
			for _, mode := range c.modes {
				t.Run(mode, func(t *testing.T) {
					e := errandFor(t, g, 0, c.name+"-"+mode+".bin", 1<<20+3)
					stored := filepath.Join(g.home(0), e.remote)
					if c.download {
						writeFile(t, stored, pattern(1<<20+3, 0))
					}
					output := ""
					for _, s := range c.both(e, mode) {
						out, err := runScript(t, s)
						output += out
						if err != nil {
							t.Errorf("%s: %v", s.args[0], err)
						}
					}
					want := digestFile(t, e.local)
					if digestFile(t, stored) != want {
						t.Error("the server has another file than was sent")
					}
					if digestFile(t, e.back) != want {
						t.Error("another file came back")
					}
					if t.Failed() {
						t.Logf("output:\n%s", output)
					}
				})
			}
			usedModes(t, g, c.modes)
		})
	}
}

// usedModes holds that each mode was really used: its command is on record, and was accepted.
func usedModes(t *testing.T, g *gw, modes []string) {
	t.Helper()
	accepted := map[string]bool{}
	for _, r := range g.recordsOf(audit.Command) {
		if r.Code/100 == 2 {
			accepted[r.Verb] = true
		}
	}
	for _, mode := range modes {
		if verb := strings.ToUpper(mode); !accepted[verb] {
			t.Errorf("no %s was accepted", verb)
		}
	}
}
